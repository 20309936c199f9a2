"""The rows of `make bench-log`: what the prediction log and the labels cost, keep and find again."""
