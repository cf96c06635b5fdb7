#include "core/kernels/lstm.hpp"

namespace terse::kernels {

void lstm_forward(const LstmShape& shape, const LstmForward& a) {
  reference::lstm_forward(shape, a);
}
void lstm_backward(const LstmShape& shape, const LstmBackward& a) {
  reference::lstm_backward(shape, a);
}

}  // namespace terse::kernels
