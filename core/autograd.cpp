#include "tersegrad/core/autograd.hpp"

#include <atomic>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/elementwise.hpp"
#include "tersegrad/core/kernels/embedding.hpp"

namespace terse {

// One recorded operator. It refers to the nodes of its inputs, never to its own result.
struct Node {
  struct Input {
    Shape shape;
    bool needs_grad = false;
    std::shared_ptr<Node> node;  // the operator that computed the input, or
    Tensor leaf;                 // the leaf itself
  };

  const char* name;
  std::uint64_t number;  // in order of creation, ascending
  Shape shape;           // of the result
  std::vector<Input> inputs;
  Backward backward;
  std::shared_ptr<Node> next_doomed = nullptr;  // for the destructor, which must not allocate

  // Destroys a chain of nodes iteratively. The inputs of a node that has no other owner are moved
  // to a list before the node is destroyed, so destructors do not recurse.
  ~Node() {
    std::shared_ptr<Node> doomed;  // the first of a list
    const auto take_inputs = [&doomed](Node& node) {
      for (auto& input : node.inputs) {
        if (!input.node || input.node.use_count() != 1) continue;
        input.node->next_doomed = std::move(doomed);
        doomed = std::move(input.node);
      }
    };
    take_inputs(*this);
    while (doomed) {
      const auto node = std::move(doomed);
      doomed = std::move(node->next_doomed);
      take_inputs(*node);
    }
  }
};

namespace {

thread_local bool grad_mode = true;

// One counter for all threads: a tensor made on one thread and used on another still has a smaller
// number than its consumers.
std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

Tensor add_gradients(const Tensor& sum, const Tensor& more) {
  Tensor result = Tensor::empty(sum.shape());
  kernels::add(sum.data(), more.data(), result.data_mut());
  return result;
}

}  // namespace

Gradient::Gradient(const Shape& shape, AddTo add_to) : shape_(shape), add_to_(std::move(add_to)) {}

Gradient Gradient::rows(const Shape& shape, std::span<const std::int32_t> ids, Tensor values) {
  internal_check(
      shape.rank() >= 1 && values.shape() == shape.with(0, static_cast<std::int64_t>(ids.size())),
      "rows: expected values for {} rows of a gradient {}; got {}", ids.size(), shape.to_string(),
      values.shape().to_string());
  const std::int64_t row = shape.without(0).numel();
  Gradient gradient(shape, [ids, row, values = std::move(values)](real beta, std::span<real> dx) {
    if (beta == 0) kernels::fill(dx, 0);
    kernels::add_rows(row, ids, values.data(), dx);
  });
  gradient.ids_ = ids;
  return gradient;
}

Tensor Gradient::dense() const {
  if (all_.defined()) return all_;
  Tensor all = Tensor::empty(shape_);
  add_to_(0, all.data_mut());
  return all;
}

void Gradient::add_to(real beta, std::span<real> dx) const {
  if (!all_.defined()) {
    add_to_(beta, dx);
  } else if (beta == 0) {
    kernels::copy(all_.data(), dx);
  } else {
    kernels::add(dx, all_.data(), dx);
  }
}

bool grad_enabled() {
  return grad_mode;
}
NoGrad::NoGrad() : before_(std::exchange(grad_mode, false)) {}
NoGrad::~NoGrad() {
  grad_mode = before_;
}

// The only class with access to the members of Tensor: recording and the backward engine.
class Graph {
 public:
  static Tensor record(const char* name, Tensor result, std::span<const Tensor> inputs,
                       Backward backward) {
    bool needed = false;
    for (const auto& input : inputs) needed = needed || input.requires_grad();
    if (!grad_mode || !needed) return result;
    auto node = std::make_shared<Node>();
    node->name = name;
    node->number = next_number();
    node->shape = result.shape();
    node->backward = std::move(backward);
    node->inputs.reserve(inputs.size());
    for (const auto& input : inputs) {
      const bool leaf = input.impl_->node == nullptr;
      node->inputs.push_back({.shape = input.shape(),
                              .needs_grad = input.requires_grad(),
                              .node = input.impl_->node,
                              .leaf = leaf && input.requires_grad() ? input : Tensor()});
    }
    internal_check(result.impl_->node == nullptr, "{}: the result is recorded twice", name);
    result.impl_->node = std::move(node);
    result.impl_->requires_grad = true;
    return result;
  }

  static void backward(const Tensor& root, const Tensor& dy, const Complete& complete = {}) {
    check(root.requires_grad(), "backward: the tensor depends on nothing that requires a gradient");
    check(dy.shape() == root.shape(),
          "backward: the gradient must have the tensor's shape {}; got {}",
          root.shape().to_string(), dy.shape().to_string());
    const NoGrad no_grad;
    if (!root.impl_->node) {
      accumulate(root, dy);
      if (complete) complete(root);
      return;
    }
    auto uses = complete ? uses_of_leaves(root.impl_->node.get()) : Uses();
    // Nodes that have a gradient and have not run, by number. All consumers of a node have greater
    // numbers, so the gradient of the node with the greatest number is complete.
    struct Pending {
      std::shared_ptr<Node> node;
      Tensor dy;
    };
    std::map<std::uint64_t, Pending> pending;
    pending[root.impl_->node->number] = {root.impl_->node, dy};
    while (!pending.empty()) {
      const auto greatest = std::prev(pending.end());
      const Pending now = std::move(greatest->second);
      pending.erase(greatest);
      const Gradients gradients = now.node->backward(now.dy);
      check_gradients(*now.node, gradients);
      for (std::size_t i = 0; i < gradients.size(); ++i) {
        const auto& input = now.node->inputs[i];
        if (!input.needs_grad) continue;
        if (input.node) {
          auto& next = pending[input.node->number];
          const Tensor dx = gradients[i].dense();
          next.dy = next.node ? add_gradients(next.dy, dx) : dx;
          next.node = input.node;
        } else {
          accumulate(input.leaf, gradients[i]);
          if (complete && --uses[input.leaf.impl_.get()] == 0) complete(input.leaf);
        }
      }
    }
  }

  // The first gradient since zero_grad overwrites, later ones are added.
  static void accumulate(const Tensor& leaf, const Gradient& gradient) {
    auto& impl = *leaf.impl_;
    if (!impl.grad) impl.grad = std::make_unique<Tensor>(Tensor::empty(impl.shape));
    gradient.add_to(impl.has_grad ? 1 : 0, impl.grad->data_mut());
    impl.has_grad = true;
  }

 private:
  // The number of uses of each leaf as an input of the nodes that backward will run.
  using Uses = std::unordered_map<const Tensor::Impl*, int>;
  static Uses uses_of_leaves(const Node* root) {
    Uses uses;
    std::unordered_set<const Node*> seen{root};
    std::vector<const Node*> ahead{root};
    while (!ahead.empty()) {
      const Node& node = *ahead.back();
      ahead.pop_back();
      for (const auto& input : node.inputs) {
        if (!input.needs_grad) continue;
        if (!input.node) {
          ++uses[input.leaf.impl_.get()];
        } else if (seen.insert(input.node.get()).second) {
          ahead.push_back(input.node.get());
        }
      }
    }
    return uses;
  }

  static void check_gradients(const Node& node, const Gradients& gradients) {
    internal_check(gradients.size() == node.inputs.size(),
                   "{}: backward must return {} gradients; got {}", node.name, node.inputs.size(),
                   gradients.size());
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (!node.inputs[i].needs_grad) continue;
      internal_check(gradients[i].defined(), "{}: backward returned no gradient for input {}",
                     node.name, i);
      internal_check(gradients[i].shape() == node.inputs[i].shape,
                     "{}: the gradient of input {} must have its shape {}; got {}", node.name, i,
                     node.inputs[i].shape.to_string(), gradients[i].shape().to_string());
      for (const std::int32_t id : gradients[i].ids_) {
        internal_check(id >= 0 && id < node.inputs[i].shape[0],
                       "{}: the gradient of input {} has a row {}, outside {}", node.name, i, id,
                       node.inputs[i].shape.to_string());
      }
    }
  }
};

Tensor record(const char* name, Tensor result, std::span<const Tensor> inputs, Backward backward) {
  return Graph::record(name, std::move(result), inputs, std::move(backward));
}
Tensor record(const char* name, Tensor result, std::initializer_list<Tensor> inputs,
              Backward backward) {
  return Graph::record(name, std::move(result), std::span(inputs.begin(), inputs.size()),
                       std::move(backward));
}

void backward(const Tensor& root, const Complete& complete) {
  check(root.numel() == 1, "backward: without a gradient the tensor must have one element; got {}",
        root.shape().to_string());
  Graph::backward(root, Tensor::full(root.shape(), 1), complete);
}
void Tensor::backward() const {
  terse::backward(*this, {});
}
void Tensor::backward(const Tensor& dy) const {
  Graph::backward(*this, dy);
}

}  // namespace terse
