"""What the comparisons of bench/lab are made of, beside tests/labkit."""
