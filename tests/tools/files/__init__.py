"""The file tools on real files, and the parts that they consist of."""
