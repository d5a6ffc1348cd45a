/* vecdb--1.0.sql: sections in the order of the layers in src/README.md */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION vecdb" to load this file. \quit

--
-- src/vector: the type vector
--

-- @vector@ (this marker goes when the section is written)

--
-- src/distance: distance functions and operators
--

-- @distance@

--
-- src/vector: comparison, aggregates, casts
--

-- @vector2@

--
-- src/filter: the type vecdb_filter and the operator @~
--

-- @filter@

--
-- src/collection: collections in schema vecdb
--

-- @collection@
