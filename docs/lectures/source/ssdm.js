/* The lecture on stochastic sign descent: Safaryan and Richtárik, arXiv 1905.12938. */
terse.lecture({ title: 'Stochastic sign descent', paper: 'Safaryan and Richtárik, arXiv 1905.12938' });
