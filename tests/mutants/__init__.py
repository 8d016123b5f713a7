"""Change each decision in one place at a time, and see whether its tests notice: `make mutants`.

mutmut changes the Python; `sql` changes the SQL of merge and KPIs, for which there is no tool. A mutant that no test notices
is a gap of the tests, unless explained.yaml says why it makes no difference.
"""
