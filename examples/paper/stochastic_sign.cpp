// Safaryan and Richtárik, "Stochastic Sign Descent Methods", arXiv 1905.12938.
#include "examples/paper/claim.hpp"
#include "examples/paper/perceptron_claims.hpp"
#include "examples/paper/rosenbrock_claims.hpp"
#include "examples/paper/sign_claims.hpp"
#include "examples/paper/sign_descent_claims.hpp"
#include "examples/paper/split_worker_claims.hpp"

namespace terse::paper {

Paper stochastic_sign_descent(Scale scale, const std::string& mnist) {
  Paper paper = {
      .number = "1905.12938",
      .title = "Stochastic Sign Descent Methods",
      .symbols =
          "mlp:hidden=64 is the model P of the table. g is the gradient, σ the standard deviation "
          "of a stochastic one, S = |g|/σ "
          "coordinate by coordinate; ρ is the probability that a stochastic gradient's sign "
          "is that of g, and its margin is 2ρ − 1, P(right) − P(wrong); "
          "‖g‖_ρ = Σ (2ρ − 1)|g| over the coordinates, and ‖g‖_ρM the same for a vote of M "
          "nodes; M is 2l − 1 or 2l, and I is the regularised incomplete beta function. γ "
          "is the rate, K the number of steps, d the number of coordinates, L̄ the mean of their "
          "smoothness constants, x₀ the start, τ a batch, c a bound of "
          "σ²/g². Option 2 takes a step only if f does not grow. SSDM is signSGD with "
          "momentum and a random sign, P(+) = (1 + mᵢ/‖m‖)/2; ssdm-scaled sends ‖m‖, too.",
      .claims = {},
      .experiments = {}};
  add_sign_success(paper, scale);
  add_sign_descent(paper, scale);
  add_vote_success(paper, scale);
  add_rosenbrock(paper, scale);
  add_disagreeing_nodes(paper, scale);
  add_perceptron_claims(paper, scale, mnist);
  add_split_workers(paper, scale);
  return paper;
}

}  // namespace terse::paper
