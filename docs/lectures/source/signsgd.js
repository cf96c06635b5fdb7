/* The lecture on signSGD and majority votes: Bernstein et al., arXiv 1802.04434 and 1810.05291. */
terse.lecture({ title: 'signSGD and the majority vote', paper: 'Bernstein et al., arXiv 1802.04434 and 1810.05291' });
