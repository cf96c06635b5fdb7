/* Scene 2 of the lecture on stochastic sign descent: M voters against the incomplete beta function. */
(function (terse) {
  'use strict';

  const { format } = terse;
  const { range, random, voteSuccess } = terse.maths;
  const { curve, dot, percent, HEIGHT } = terse.drawing;

  const MOST_WORKERS = 31;

  // The share of right majorities in `trials` votes; a tie is decided by a fair coin.
  function simulatedVotes(rho, workers, trials, draws) {
    let rightVotes = 0;
    for (let t = 0; t < trials; ++t) {
      let margin = 0;
      for (let m = 0; m < workers; ++m) margin += draws.next() < rho ? 1 : -1;
      rightVotes += margin > 0 || (margin === 0 && draws.next() < 0.5) ? 1 : 0;
    }
    return rightVotes / trials;
  }

  terse.scene({
    id: 'vote',
    title: 'M voters against the incomplete beta function',
    lead: 'A worker is right with probability ρ, and M of them with I(ρ; l, l), where l = ⌊(M + 1)/2⌋.',
    columns: '3fr 2fr',
    command: () => 'optim_test --gtest_filter="Vote.*:SignLaws.VoteSucceeds*"',
    made: 'Dots: 2 000 votes each, drawn in this page. Line: the formula. The test checks the vote of the library against it.',
    question: 'What does the fourth voter add to three?',
    answer:
      'Nothing: 2l voters succeed exactly as often as 2l − 1, if a tie is decided by a fair coin or does not move. ' +
      'If ties count as plus, an even number drifts upwards instead.',
    notes: [
      'Move ρ below one half as well: a majority of workers that are mostly wrong is wrong almost ' +
        'surely. This is why noise ' +
        'that is skewed is dangerous.',
      'Dashed: the exponential bound, 1 − exp(−(2ρ − 1)² l)/2. The effect of noise falls exponentially ' +
        'with the number of workers.',
    ],
    build(stage) {
      let dots = [];
      const rho = terse.slider(stage.controls, {
        label: 'ρ of one worker',
        key: 'vote.rho',
        min: 0.3,
        max: 0.95,
        step: 0.01,
        value: 0.6,
        change: () => update(),
      });
      const workers = terse.slider(stage.controls, {
        label: 'workers M',
        key: 'vote.workers',
        min: 1,
        max: MOST_WORKERS,
        step: 1,
        value: 9,
        format: format.count,
        change: () => update(),
      });
      const readout = stage.readout();
      const left = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'probability of a right majority over the number of workers',
        draw(fig) {
          const low = rho.value < 0.5 ? 0 : 0.5;
          const chart = fig.axes({
            x: { domain: [0, MOST_WORKERS + 1], label: 'workers M', ticks: [1, 5, 9, 15, 21, 31] },
            y: { domain: [low, 1], label: 'P(vote is right)', format: percent },
            left: 56,
          });
          const counts = range(MOST_WORKERS, (i) => i + 1);
          if (low)
            chart.line(
              counts.map((m) => [m, 1 - 0.5 * Math.exp(-((2 * rho.value - 1) ** 2) * Math.floor((m + 1) / 2))]),
              { color: 'var(--muted)', width: 2, dash: '8 5' },
            );
          chart.line(
            counts.map((m) => [m, voteSuccess(rho.value, m)]),
            { series: 0, width: 3, dash: null },
          );
          chart.points(dots, { series: 1, r: 4.5 });
          dot(chart, workers.value, voteSuccess(rho.value, workers.value), { series: 0, r: 9 });
        },
      });
      const chartView = terse.figure(stage.figures, {
        height: HEIGHT,
        label: 'probability of a right majority over that of one worker',
        draw(fig) {
          const chart = fig.axes({
            x: { domain: [0.3, 1], label: 'ρ of one worker', ticks: [0.3, 0.5, 0.7, 0.9] },
            y: { domain: [0, 1], label: `P(vote of ${workers.value} is right)`, format: percent },
            left: 56,
          });
          chart.line(
            [
              [0.3, 0.3],
              [1, 1],
            ],
            { color: 'var(--muted)', width: 1.5 },
          );
          chart.rule({ x: 0.5 });
          chart.line(
            curve((r) => voteSuccess(r, workers.value), 0.3, 1),
            { series: 0, width: 3.5 },
          );
          dot(chart, rho.value, voteSuccess(rho.value, workers.value), { series: 0, r: 9 });
        },
      });
      function update() {
        const draws = random(11);
        dots = range(MOST_WORKERS, (i) => [i + 1, simulatedVotes(rho.value, i + 1, 2000, draws)]);
        readout.set([
          [percent(voteSuccess(rho.value, workers.value)), 'formula', 0],
          [percent(dots[workers.value - 1][1]), 'drawn', 1],
        ]);
        left.redraw();
        chartView.redraw();
      }
      update();
    },
  });
})((globalThis.terse ??= {}));
