// Reference measurement: MPI_Allreduce of 44.7 MB and of 4 KB.
//
//   mpicxx -O3 -std=c++20 mpi_all_reduce.cpp -o mpi_all_reduce && mpirun -n 4 mpi_all_reduce 15
//
// Prints `openmpi workers bytes microseconds`: the median over the repetitions of the time from the
// start of the first rank to the end of the last one, on the clock that all processes of a machine
// share. A repetition of 4 KB is the mean of 1000 consecutive calls.
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const int repetitions = argc > 1 ? std::atoi(argv[1]) : 15;
  int rank = 0, workers = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &workers);
  for (const auto& [n, in_a_row] : {std::pair{11'173'962, 1}, std::pair{1024, 1000}}) {
    std::vector<float> values(static_cast<std::size_t>(n));
    std::vector<double> seconds;
    for (int repetition = -1; repetition < repetitions; ++repetition) {  // the first warms up
      std::fill(values.begin(), values.end(), 1.0F);
      MPI_Barrier(MPI_COMM_WORLD);
      double start = now();
      for (int i = 0; i < in_a_row; ++i) {
        MPI_Allreduce(MPI_IN_PLACE, values.data(), n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
      }
      double end = now();
      MPI_Allreduce(MPI_IN_PLACE, &start, 1, MPI_DOUBLE, MPI_MIN, MPI_COMM_WORLD);
      MPI_Allreduce(MPI_IN_PLACE, &end, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
      if (repetition >= 0) seconds.push_back((end - start) / in_a_row);
    }
    std::sort(seconds.begin(), seconds.end());
    if (rank == 0) {
      std::printf("openmpi %d %zu %.2f\n", workers, sizeof(float) * static_cast<std::size_t>(n),
                  1e6 * seconds[seconds.size() / 2]);
    }
  }
  MPI_Finalize();
}
