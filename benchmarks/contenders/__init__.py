"""What people would use instead of Takings: each does as much of the job as it can, in the way that its own guide shows.

Each module is run by `python -m benchmarks.contenders.NAME FOLDER ANSWER`, in an environment that has its packages.
FOLDER has the drops. ANSWER is an empty folder for what it makes; days.csv and categories.csv are compared with
Takings' KPIs.
"""
