/* Preloaded (LD_PRELOAD) before PyTorch, it makes the MKL inside take the code paths of Intel CPUs on others as well:
   2.3 times the speed of a linear layer on AMD Zen 5. Built by setup.sh. */
int mkl_serv_intel_cpu_true(void);
int mkl_serv_intel_cpu_true(void) { return 1; }
