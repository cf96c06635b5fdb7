# Makes one self-contained HTML file from a template:
#
#   cmake -DTEMPLATE=pages/report/page.html -DOUT=page.html [-DDATA=data.json] -P pages/assemble.cmake
#
# Each line "<!-- include: PATH -->" of the template, with PATH relative to it, is replaced by the text of that file:
# of *.css within <style>, of *.js within <script>, of other files as it is. A comment "/* … */" at the head of *.css
# and *.js is left out, because it is for readers of the source; one that begins with "/*!", a licence, stays.
#
# The placeholder {{data}}, which must stand in the result once, is replaced by the text of DATA with every "<" written
# as "\u003c", which JSON allows within strings and which cannot end the element. Without DATA the placeholder stays,
# for a program that fills it in.
#
# Texts are only passed quoted, and are never treated as lists, so that ";", "[" and "\" stay as they are.
cmake_minimum_required(VERSION 3.25)

foreach(name TEMPLATE OUT)
  if(NOT DEFINED ${name})
    message(FATAL_ERROR "assemble.cmake: ${name} is missing; the call is cmake -DTEMPLATE=… -DOUT=… [-DDATA=…] -P …")
  endif()
endforeach()

function(read_text file result)
  if(NOT EXISTS "${file}")
    message(FATAL_ERROR "assemble.cmake: ${file} does not exist")
  endif()
  file(READ "${file}" text)
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

# Removes a comment from the head of `text`.
function(without_head_comment text result)
  string(FIND "${text}" "/*\n" begin)
  string(FIND "${text}" "*/\n" end)
  if(begin EQUAL 0 AND NOT end EQUAL -1)
    math(EXPR end "${end} + 3")
    string(SUBSTRING "${text}" ${end} -1 text)
  endif()
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

# The text of an included file within the element that its extension asks for.
function(element_of file result)
  read_text("${file}" text)
  cmake_path(GET file EXTENSION LAST_ONLY extension)
  if(extension STREQUAL ".js")
    set(tag script)
  elseif(extension STREQUAL ".css")
    set(tag style)
  else()
    set(${result} "${text}" PARENT_SCOPE)
    return()
  endif()
  string(FIND "${text}" "</${tag}" end)
  if(NOT end EQUAL -1)
    message(FATAL_ERROR "assemble.cmake: ${file} contains \"</${tag}\", which would end the element; write \"<\\/${tag}\"")
  endif()
  without_head_comment("${text}" text)
  set(${result} "<${tag}>\n${text}</${tag}>" PARENT_SCOPE)
endfunction()

function(include_all template result)
  set(begin "<!-- include: ")
  set(end " -->")
  string(LENGTH "${begin}" begin_length)
  string(LENGTH "${end}" end_length)
  cmake_path(GET template PARENT_PATH folder)
  read_text("${template}" rest)
  set(page "")
  while(TRUE)
    string(FIND "${rest}" "${begin}" at)
    if(at EQUAL -1)
      break()
    endif()
    string(SUBSTRING "${rest}" 0 ${at} before)
    math(EXPR at "${at} + ${begin_length}")
    string(SUBSTRING "${rest}" ${at} -1 rest)
    string(FIND "${rest}" "${end}" at)
    string(SUBSTRING "${rest}" 0 ${at} file)
    math(EXPR at "${at} + ${end_length}")
    string(SUBSTRING "${rest}" ${at} -1 rest)
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY "${folder}" NORMALIZE)
    element_of("${file}" element)
    string(APPEND page "${before}" "${element}")
  endwhile()
  string(APPEND page "${rest}")
  set(${result} "${page}" PARENT_SCOPE)
endfunction()

cmake_path(ABSOLUTE_PATH TEMPLATE NORMALIZE)
include_all("${TEMPLATE}" page)

string(FIND "${page}" "{{data}}" first)
string(FIND "${page}" "{{data}}" last REVERSE)
if(first EQUAL -1 OR NOT first EQUAL last)
  message(FATAL_ERROR "assemble.cmake: {{data}} must stand once in ${TEMPLATE} with all that it includes")
endif()
if(DEFINED DATA)
  cmake_path(ABSOLUTE_PATH DATA NORMALIZE)
  read_text("${DATA}" data)
  string(REPLACE "<" "\\u003c" data "${data}")
  string(REPLACE "{{data}}" "${data}" page "${page}")
endif()
file(WRITE "${OUT}" "${page}")
