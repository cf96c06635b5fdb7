#include "tersegrad/core/npz.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tersegrad/core/crc.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/core/npy.hpp"

namespace terse {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little endian");

constexpr std::uint64_t kMostBytes = std::numeric_limits<std::uint32_t>::max() - 1;
constexpr std::size_t kMostMembers = std::numeric_limits<std::uint16_t>::max() - 1;

template <class Unsigned>
void put(std::string& out, Unsigned value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

struct Member {
  std::string name, header;
  std::span<const std::byte> values;
  std::uint32_t crc = 0, begin = 0;  // of header and values; position of the local header
  std::uint64_t bytes() const { return header.size() + values.size(); }
};

constexpr std::uint64_t kLocalHeader = 30, kDirectoryEntry = 46, kEnd = 22;

// The fields that a local header and an entry of the central directory have in common.
void put_common(std::string& out, const Member& member) {
  put<std::uint16_t>(out, 20);            // needs version 2.0
  put<std::uint16_t>(out, 1 << 11);       // the name is UTF-8
  put<std::uint16_t>(out, 0);             // no compression
  put<std::uint16_t>(out, 0);             // 00:00
  put<std::uint16_t>(out, (1 << 5) | 1);  // 1980-01-01
  put<std::uint32_t>(out, member.crc);
  put(out, static_cast<std::uint32_t>(member.bytes()));  // compressed
  put(out, static_cast<std::uint32_t>(member.bytes()));  // uncompressed
  put(out, static_cast<std::uint16_t>(member.name.size()));
  put<std::uint16_t>(out, 0);  // no extra field
}

std::string local_header(const Member& member) {
  std::string out;
  put<std::uint32_t>(out, 0x04034B50);
  put_common(out, member);
  return out + member.name;
}

std::string directory_entry(const Member& member) {
  std::string out;
  put<std::uint32_t>(out, 0x02014B50);
  put<std::uint16_t>(out, 20);  // made by version 2.0
  put_common(out, member);
  put<std::uint16_t>(out, 0);  // no comment
  put<std::uint16_t>(out, 0);  // disk 0
  put<std::uint16_t>(out, 0);  // internal attributes: not a text
  put<std::uint32_t>(out, 0);  // external attributes
  put<std::uint32_t>(out, member.begin);
  return out + member.name;
}

std::string directory_end(const std::vector<Member>& members, std::uint64_t begin,
                          std::uint64_t bytes) {
  std::string out;
  put<std::uint32_t>(out, 0x06054B50);
  put<std::uint16_t>(out, 0);                            // this is disk 0
  put<std::uint16_t>(out, 0);                            // the directory begins on disk 0
  put(out, static_cast<std::uint16_t>(members.size()));  // on this disk
  put(out, static_cast<std::uint16_t>(members.size()));  // in all
  put(out, static_cast<std::uint32_t>(bytes));
  put(out, static_cast<std::uint32_t>(begin));
  put<std::uint16_t>(out, 0);  // no comment
  return out;
}

}  // namespace

void write_npz(const std::filesystem::path& path, std::span<const ArrayToWrite> arrays) {
  const std::string file = path.string();
  check(arrays.size() <= kMostMembers, "'{}': expected at most {} arrays; got {}", file,
        kMostMembers, arrays.size());
  std::vector<Member> members;
  std::uint64_t begin = 0, directory = 0;
  for (const auto& array : arrays) {
    auto& member = members.emplace_back(Member{
        .name = array.name + ".npy", .header = npy_header(array, file), .values = array.data});
    check(member.name.size() <= std::numeric_limits<std::uint16_t>::max(),
          "'{}': expected names of less than 64 KiB; got one of {} bytes", file, array.name.size());
    member.begin = static_cast<std::uint32_t>(begin);
    begin += kLocalHeader + member.name.size() + member.bytes();
    directory += kDirectoryEntry + member.name.size();
  }
  check(begin + directory + kEnd <= kMostBytes,
        "'{}': expected less than 4 GiB, the limit of .npz files; got {} bytes", file,
        begin + directory + kEnd);

  for (auto& member : members) {
    member.crc = crc32(member.values, crc32(std::as_bytes(std::span(member.header))));
  }
  write_file(path, [&](std::ostream& out) {
    for (const auto& member : members) {
      out << local_header(member) << member.header;
      out.write(reinterpret_cast<const char*>(member.values.data()),
                static_cast<std::streamsize>(member.values.size()));
    }
    for (const auto& member : members) out << directory_entry(member);
    out << directory_end(members, begin, directory);
  });
}

}  // namespace terse
