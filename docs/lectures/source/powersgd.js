/* The lecture on PowerSGD: Vogels, Karimireddy and Jaggi, arXiv 1905.13727. */
terse.lecture({ title: 'PowerSGD', paper: 'Vogels, Karimireddy and Jaggi, arXiv 1905.13727' });
