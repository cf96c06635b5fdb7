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
          "of a stochastic one, S = |g|/σ coordinate by coordinate; ρ is the probability that a "
          "stochastic gradient's sign is that of g, and its margin is 2ρ − 1, P(right) − "
          "P(wrong); ‖g‖_ρ = Σ (2ρ − 1)|g| over the coordinates, and ‖g‖_ρM the same for a vote "
          "of M nodes; M is 2l − 1 or 2l, and I is the regularised incomplete beta function. γ is "
          "the rate, K the number of steps, d the number of coordinates, L̄ the mean of their "
          "smoothness constants, x₀ the start, τ a batch, c a bound of σ²/g². Option 2 takes a "
          "step only if f does not grow. SSDM is signSGD with momentum and a random sign, P(+) = "
          "(1 + mᵢ/‖m‖)/2; ssdm-scaled sends ‖m‖, too. Nodes have shared data if all of them "
          "sample one f, and partitioned data if each has its own; mixed batches have all "
          "classes, split ones half of them. sign+ef is signSGD with error feedback and the scale "
          "‖v‖₁/d.",
      .notes =
          "Functions: sign-bound, bounds-order and batch-bound sample the sign of g plus noise. "
          "plateau, rate, option-two and ssdm-rate minimise |x|²/2 in ten dimensions, with normal "
          "noise of deviation 1 in each. The counter-example is the sum of two squares ⟨a, x⟩² in "
          "the plane, a = (1.1, −0.9) and (−0.9, 1.1), of which a step sees one; it starts at (1, "
          "1). ssdm-partitioned has three nodes with |x − t|² n/4 in ten dimensions, n = 1, 2, 3, "
          "each with a t of its own from N(0, 1), and the same noise. threshold and vote-descent "
          "minimise Rosenbrock's function in ten dimensions, with normal noise of deviation 1 and "
          "10 in each; threshold's batches are of its nine terms. ±0.05 there is five standard "
          "errors of a margin, of 10⁴ samples each: more samples would tell, not more seeds.",
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
