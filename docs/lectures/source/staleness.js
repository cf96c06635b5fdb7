/* The lecture on stale gradients and sparse pushes: Candela et al., arXiv 1910.09466. */
terse.lecture({ title: 'Stale gradients and sparse pushes', paper: 'Candela et al., arXiv 1910.09466' });
