/*
 * The time of a training step in a modelled network, as `train --network … --compute …` computes it. Pure functions.
 *
 * Every worker has one full-duplex NIC of r bytes per second. A message of n payload bytes has a header of 32 bytes and
 * occupies a NIC for d(n) = (n + 32) / r seconds. Its first byte arrives the latency a after its start; the receiver has
 * it when its NIC has received the messages with earlier first bytes, and d(n) more. Sending never waits.
 * With W workers a step takes local + agree + the phases of the exchange:
 *
 *   agree                 a + (W-1) d(8)            every worker sends every other one a control message of 8 bytes
 *   ring, linear          2 (W-1) (a + d(up/W))     all-reduce around the ring
 *   ring, sliceable       2 a + (W-1) (d(up/W) + d(down/W))
 *   ring, gather          (W-1) (a + d(up))
 *   server                push up/S to each of S servers, pull down/S from each
 *   tree, halving         linear packets: the algorithms of comm/collectives/all_reduce.hpp
 *
 * The first four are symmetric: all workers are ready at once. In the last two, workers leave a phase one after the other
 * and so begin the next one; there the time at which each worker is ready is computed message by message (`lastingStep`).
 *
 * Parts are cut at multiples of 4 bytes, and the largest part counts. A run of local SGD exchanges in every H-th step.
 *
 * What was recorded with W0 workers is changed for W workers as follows:
 *   ring, gather     a worker decodes W packets instead of W0
 *   server, gather   the down packet is the union of the packets, or the dense mean if that is shorter. The union of W
 *                    sets of k of N coordinates has N (1 - (1 - k/N)^W) on average; N follows from the recorded union.
 *   sliceable        a down packet that is longer than the up packet counts signs, in ceil(log2(W+1)) bits
 *
 * Not modelled: buckets that are sent during backward (`--bucket-mb`), jitter, loss, slow workers and links.
 */
(function (terse) {
  'use strict';

  const HEADER = 32;
  const CONTROL = 8;

  const duration = (link, bytes) => (bytes + HEADER) / (link.bitsPerSecond / 8);
  const part = (bytes, parts) => 4 * Math.ceil(bytes / 4 / parts);
  const bits = (workers) => Math.ceil(Math.log2(workers + 1));

  // The mean size of a union of `workers` random sets, if that of `recorded` sets of size `one` is `union`.
  function unionSize(one, union, recorded, workers) {
    if (recorded < 2 || union >= 0.999 * recorded * one || union <= one) return union <= one ? one : one * workers;
    const size = (whole, count) => whole * (1 - (1 - one / whole) ** count);
    let [low, high] = [union, 1e6 * union];
    for (let i = 0; i < 60; ++i) {
      const middle = Math.sqrt(low * high);
      if (size(middle, recorded) < union) low = middle;
      else high = middle;
    }
    return size(high, workers);
  }

  // Payload bytes of the down packet with `workers` workers.
  function downBytes(phase, run, workers) {
    const down = phase.down ?? phase.up;
    const recorded = run.workers ?? workers;
    if (phase.kind === 'sliceable' && down > phase.up) return (down * bits(workers)) / bits(recorded);
    if (phase.kind !== 'gather') return down;
    const dense = run.exchange.uncompressed_bytes ?? Infinity;
    return Math.min(unionSize(phase.up, down, recorded, workers), Math.max(dense, down));
  }

  // ---- ring

  function ringPhaseSeconds(phase, run, workers, link) {
    if (phase.kind === 'gather') return (workers - 1) * (link.latency + duration(link, phase.up));
    if (phase.kind === 'sliceable') {
      const down = downBytes(phase, run, workers);
      return (
        2 * link.latency +
        (workers - 1) * (duration(link, part(phase.up, workers)) + duration(link, part(down, workers)))
      );
    }
    return 2 * (workers - 1) * (link.latency + duration(link, part(phase.up, workers)));
  }

  const agreeSeconds = (workers, link) => link.latency + (workers - 1) * duration(link, CONTROL);

  // ---- message by message
  //
  // state.ready[w]: when worker w can continue; state.sent[w]: when its NIC has sent its messages.

  // Sends at the time at which `from` is ready.
  function send(state, from, seconds, link) {
    const start = Math.max(state.ready[from], state.sent[from]);
    state.sent[from] = start + seconds;
    return { first: start + link.latency, seconds };
  }

  // `to` waits until its NIC has received all these messages, in the order of their first bytes.
  function receive(state, to, messages) {
    messages.sort((a, b) => a.first - b.first);
    state.ready[to] = messages.reduce((until, { first, seconds }) => Math.max(until, first) + seconds, state.ready[to]);
  }

  function agree(state, link) {
    const workers = state.ready.length;
    const seconds = duration(link, CONTROL);
    const starts = state.ready.map((ready, w) => Math.max(ready, state.sent[w]));
    const serial = Math.min(...starts) + link.latency + (workers - 1) * seconds;
    state.sent = starts.map((start) => start + (workers - 1) * seconds);
    state.ready = state.ready.map((ready, w) => {
      let until = Math.max(ready, serial);
      for (let k = 1; k < workers; ++k) {
        until = Math.max(until, starts[(w - k + workers) % workers] + link.latency + k * seconds);
      }
      return until;
    });
  }

  // ---- tree and halving

  function tree(state, bytes, link) {
    const workers = state.ready.length;
    const seconds = duration(link, bytes);
    const distances = [];
    for (let bit = 1; bit < workers; bit *= 2) distances.push(bit);
    const arrivals = state.ready.map(() => []);
    for (const bit of distances) {
      for (let from = bit; from < workers; from += 2 * bit) {
        receive(state, from, arrivals[from]);
        arrivals[from - bit].push(send(state, from, seconds, link));
      }
    }
    receive(state, 0, arrivals[0]);
    for (const bit of distances.reverse()) {
      for (let to = bit; to < workers; to += 2 * bit) receive(state, to, [send(state, to - bit, seconds, link)]);
    }
  }

  // The workers outside of the core send all values to a partner first, and receive the result last.
  function halving(state, bytes, link) {
    const workers = state.ready.length;
    const core = 2 ** Math.floor(Math.log2(workers));
    const outside = workers - core;
    const ranks = Array.from({ length: core }, (_, i) => (i < outside ? 2 * i + 1 : i + outside));
    const whole = duration(link, bytes);
    for (let i = 0; i < outside; ++i) receive(state, 2 * i + 1, [send(state, 2 * i, whole, link)]);
    const exchange = (distance) => {
      const messages = ranks.map((rank) => send(state, rank, duration(link, part(bytes, core) * distance), link));
      ranks.forEach((rank, i) => receive(state, rank, [messages[i ^ distance]]));
    };
    for (let distance = core / 2; distance >= 1; distance /= 2) exchange(distance);
    for (let distance = 1; distance < core; distance *= 2) exchange(distance);
    for (let i = 0; i < outside; ++i) receive(state, 2 * i, [send(state, 2 * i + 1, whole, link)]);
  }

  // The algorithm that --all-reduce auto chooses: the least of three formulas.
  function chosenAllReduce(kind, bytes, workers, link) {
    if (kind !== 'auto') return kind;
    const n = bytes / (link.bitsPerSecond / 8);
    const core = 2 ** Math.floor(Math.log2(workers));
    const seconds = {
      ring: 2 * (workers - 1) * link.latency + (2 * (workers - 1) * n) / workers,
      halving:
        2 * Math.log2(core) * link.latency +
        (2 * (core - 1) * n) / core +
        (workers > core ? 2 * (link.latency + n) : 0),
      tree: 2 * Math.ceil(Math.log2(workers)) * (link.latency + n),
    };
    return Object.keys(seconds).reduce((best, now) => (seconds[now] < seconds[best] ? now : best));
  }

  // ---- server

  // The share of a packet that each shard gets: whole tensors, by the position of their middle in the model.
  function shardShares(run, servers) {
    const tensors = run.bytes?.by_tensor;
    if (servers === 1 || !tensors?.length) return Array(servers).fill(1 / servers);
    const whole = tensors.reduce((sum, tensor) => sum + tensor.values, 0);
    const payload = tensors.reduce((sum, tensor) => sum + tensor.payload, 0);
    const shares = Array(servers).fill(0);
    let first = 0;
    for (const tensor of tensors) {
      const shard = Math.min(servers - 1, Math.floor(((2 * first + tensor.values) * servers) / (2 * whole)));
      shares[shard] += tensor.payload / payload;
      first += tensor.values;
    }
    return shares;
  }

  function shardBytes(phase, run, workers, servers) {
    const down = downBytes(phase, run, workers);
    if (phase.kind !== 'gather') {
      const sizes = (bytes) => Array(servers).fill(part(bytes, servers));
      return { up: sizes(phase.up), down: sizes(phase.kind === 'sliceable' ? down : phase.up) };
    }
    const shares = shardShares(run, servers);
    return { up: shares.map((share) => share * phase.up), down: shares.map((share) => share * down) };
  }

  // Push to all shards, add or combine, pull from all shards.
  function pushAndPull(state, { up, down }, link) {
    const workers = state.ready.length;
    const pushed = up.map(() => []);
    state.ready.forEach((ready, w) => {
      for (let k = 1; k <= up.length; ++k) {
        const server = (w + k) % up.length;
        if (server !== w && up[server] > 0) pushed[server].push(send(state, w, duration(link, up[server]), link));
      }
    });
    pushed.forEach((messages, server) => receive(state, server, messages));
    const pulled = state.ready.map(() => []);
    down.forEach((bytes, s) => {
      for (let k = 1; k < workers && bytes > 0; ++k) {
        pulled[(s + k) % workers].push(send(state, s, duration(link, bytes), link));
      }
    });
    pulled.forEach((messages, w) => receive(state, w, messages));
  }

  // One phase, as a function that changes the state.
  function phaseOf(phase, run, workers, link) {
    if (run.topology === 'server') {
      const sizes = shardBytes(phase, run, workers, Math.min(run.exchange.servers ?? 1, workers));
      return (state) => pushAndPull(state, sizes, link);
    }
    const kind =
      phase.kind === 'linear' || phase.kind === 'memory'
        ? chosenAllReduce(run.exchange.all_reduce ?? 'ring', phase.up, workers, link)
        : 'ring';
    if (kind === 'tree') return (state) => tree(state, phase.up, link);
    if (kind === 'halving') return (state) => halving(state, phase.up, link);
    return null;
  }

  // The period of a step in which workers are not all ready at once; repeats the step until its period repeats.
  function lastingStep(run, workers, link, local) {
    const phases = run.exchange.phases.map(
      (phase) =>
        phaseOf(phase, run, workers, link) ??
        ((state) => {
          state.ready.fill(Math.max(...state.ready) + ringPhaseSeconds(phase, run, workers, link));
        }),
    );
    const state = { ready: Array(workers).fill(0), sent: Array(workers).fill(0) };
    let before = 0;
    let period = 0;
    for (let step = 0; step < 6; ++step) {
      state.ready = state.ready.map((ready) => ready + local);
      agree(state, link);
      for (const phase of phases) phase(state);
      const now = Math.max(...state.ready);
      if (Math.abs(now - before - period) < 1e-6 * period) break;
      [period, before] = [now - before, now];
    }
    return period;
  }

  // ---- steps

  // Why the model does not hold for a run, in words; null if it does.
  function obstacle(run) {
    if (run.topology === 'async') return 'it is asynchronous and has no steps in common';
    if (run.topology === 'local') return 'its topology is local, which sends nothing';
    if (!run.exchange?.phases?.length) return 'its exchange was not recorded';
    return null;
  }

  // The seconds of a step that are not spent in the network, with `workers` workers. `clock` chooses between the measured
  // times and those of the virtual clock, in which no other worker runs.
  function localSeconds(run, workers, clock = 'times') {
    const times = run[clock] ?? {};
    const gathers = run.exchange?.phases?.some((phase) => phase.kind === 'gather');
    const more = gathers && run.topology !== 'server' ? workers / (run.workers || workers) : 1;
    return (times.compute ?? 0) + (times.encode ?? 0) + (times.decode ?? 0) * more + (times.update ?? 0);
  }

  // Seconds per step. `link` is {bitsPerSecond, latency}; `local` replaces localSeconds.
  function stepSeconds(run, workers, link, local = localSeconds(run, workers)) {
    if (workers < 2) return local;
    const every = Math.max(1, run.config?.local_steps ?? 0);
    if (run.exchange.phases.some((phase) => phaseOf(phase, run, workers, link))) {
      return local + (lastingStep(run, workers, link, local * every) - local * every) / every;
    }
    const phases = run.exchange.phases.map((phase) => ringPhaseSeconds(phase, run, workers, link));
    return local + (agreeSeconds(workers, link) + phases.reduce((sum, seconds) => sum + seconds, 0)) / every;
  }

  // The same run with uncompressed gradients: what `none` takes in the same topology.
  function uncompressed(run) {
    const local = (times) => ({ compute: times?.compute, update: times?.update });
    return {
      ...run,
      config: { ...run.config, local_steps: 0 },
      times: local(run.times),
      virtual_times: local(run.virtual_times),
      exchange: {
        ...run.exchange,
        phases: [{ kind: 'linear', up: run.exchange.uncompressed_bytes, down: run.exchange.uncompressed_bytes }],
      },
    };
  }

  // The bandwidth at which a step of the run takes as long as a step of `plain`, in bits per second:
  // {always: true}, {never: true}, {below: rate} or {above: rate}, within [low, high].
  function breakEven(run, plain, workers, latency, [low, high], clock) {
    const [plainLocal, runLocal] = [plain, run].map((one) => localSeconds(one, workers, clock));
    const gain = (rate) => {
      const link = { bitsPerSecond: rate, latency };
      return stepSeconds(plain, workers, link, plainLocal) - stepSeconds(run, workers, link, runLocal);
    };
    const [slow, fast] = [gain(low) > 0, gain(high) > 0];
    if (slow === fast) return slow ? { always: true } : { never: true };
    let [a, b] = [Math.log(low), Math.log(high)];
    for (let i = 0; i < 24; ++i) {
      const middle = (a + b) / 2;
      if (gain(Math.exp(middle)) > 0 === slow) a = middle;
      else b = middle;
    }
    return slow ? { below: Math.exp(b) } : { above: Math.exp(a) };
  }

  // Index of the first evaluation that reached `target`, or -1. A lower perplexity is better.
  function reached(run, target) {
    const better = run.metric === 'perplexity' ? (score) => score <= target : (score) => score >= target;
    return (run.evaluations?.score ?? []).findIndex((score) => typeof score === 'number' && better(score));
  }

  terse.network = { obstacle, localSeconds, stepSeconds, uncompressed, breakEven, reached };
})((globalThis.terse ??= {}));
