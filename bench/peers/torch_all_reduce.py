#!/usr/bin/env python3
"""Reference measurement: all_reduce of 44.7 MB and of 4 KB with torch.distributed (gloo, loopback).

usage: torch_all_reduce.py WORKERS [REPETITIONS]

Prints `gloo workers bytes microseconds`: the median over the repetitions of the time from the start of
the first rank to the end of the last one. A repetition of 4 KB is the mean of 20 consecutive calls.
"""
import os
import socket
import statistics
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def run(rank, workers, repetitions, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=workers)
    for n, in_a_row in ((11_173_962, 1), (1024, 20)):
        x, seconds = torch.empty(n), []
        for repetition in range(-1, repetitions):  # the first warms up
            x.fill_(1)
            dist.barrier()
            start = time.perf_counter()  # all processes of a machine share this clock
            for _ in range(in_a_row):
                dist.all_reduce(x)
            times = torch.tensor([-start, time.perf_counter()], dtype=torch.float64)
            dist.all_reduce(times, dist.ReduceOp.MAX)
            if repetition >= 0:
                seconds.append(float(times.sum()) / in_a_row)
        if rank == 0:
            print("gloo", workers, 4 * n, f"{1e6 * statistics.median(seconds):.2f}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    workers, repetitions = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 7
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(run, (workers, repetitions, port), nprocs=workers)
