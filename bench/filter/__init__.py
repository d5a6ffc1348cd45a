"""The filter benchmark: searches with conditions on metadata, vecdb's beside pgvector's.

bench_filter.py, one folder up, is the program; it uses the server, the store and
the vectors of the index benchmark.  The modules, lowest first:

  metadata  what the rows carry: fields of known selectivity, some tied to the vectors
  cases     the filters: in SQL for both systems, and as masks over the rows
  truth     exact answers
  tables    databases, tables, indexes
  measure   recall, completeness, cost and plan of one case in all ways to run it
  targets   what has to be reached, judged from the results
  report    the tables for RESULTS.md
"""
