"""Tests of the operator; those of the whole stack on a cluster are in e2e."""
