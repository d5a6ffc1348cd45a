"""The index benchmark: vecdb's hnsw beside pgvector's and hnswlib.

bench_index.py, one folder up, is the program; the modules, lowest first:

  figures   percentiles, recall, interpolation: plain functions, no database
  store     the state directory: results in JSON lines, cached arrays, the lock
  datasets  vectors, held-out rows, queries, exact answers
  server    a private PostgreSQL server and sessions whose CPU time is known
  systems   what is compared: extension, version, how its index is made
  tables    databases, tables, indexes of a dataset
  build     index builds
  search    recall and cost of searches, warm and with a small cache
  write     single-row inserts; delete + insert + VACUUM until all is replaced
  targets   what has to be reached, judged from the results
  report    the tables for RESULTS.md
"""
