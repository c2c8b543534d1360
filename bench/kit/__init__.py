"""What benchmarks share: other programs to compare with, load, CPU time, tables."""
