// The functions of vecdb_api through the real client library.  Run by
// test_rpc.py: node postgrest.mjs URL [TOKEN]; fails with a message or prints
// the number of checks that held.

import assert from 'node:assert/strict'
import { PostgrestClient } from '@supabase/postgrest-js'

const [url, token] = process.argv.slice(2)
const headers = token ? { Authorization: `Bearer ${token}` } : {}
const db = new PostgrestClient(url, { headers })
let checks = 0

async function expect(query, expected) {
  const { data, error, status } = await query
  assert.deepEqual(error, null)
  assert.ok(status < 300, `status ${status}`)
  if (expected !== undefined) assert.deepEqual(data, expected)
  checks += 1
  return data
}

async function refuse(query, status, code, message) {
  const answer = await query
  assert.equal(answer.status, status)
  assert.equal(answer.error.code, code)
  assert.match(answer.error.message, message)
  checks += 1
}

const name = 'from_postgrest_js'
const info = { name, dimension: 3, distance: 'cosine', count: 0 }
const points = [
  { id: 'a', vector: [1, 0, 0], metadata: { year: 2015, tags: ['x'] } },
  { id: 'b/ü&', vector: [1, 1, 0], metadata: { year: 2017, tags: [] } },
  { id: 'c', vector: [0, 0, 1] },
]

await expect(db.rpc('create_collection', { name, dimension: 3 }), info)
await refuse(db.rpc('create_collection', { name, dimension: 3 }), 409, '42P07', /already exists/)
await expect(db.rpc('upsert', { collection: name, points }), 3)
await expect(db.rpc('get_collection', { name }).single(), { ...info, count: 3 })
const listed = await expect(db.rpc('list_collections').eq('name', name))
assert.deepEqual(listed, [{ ...info, count: 3 }])

const hits = await expect(db.rpc('search', { collection: name, vector: [1, 0, 0], top_k: 2 }))
assert.deepEqual(hits.map((h) => h.id), ['a', 'b/ü&'])
assert.deepEqual(hits[0], { id: 'a', score: 1, metadata: { year: 2015, tags: ['x'] }, vector: null })
await expect(
  db.rpc('search', { collection: name, vector: [1, 0, 0] }).select('id,score').gt('score', 0.5).limit(1),
  [{ id: 'a', score: 1 }])
await expect(
  db.rpc('search', {
    collection: name, vector: [1, 0, 0], filter: { year: { $gte: 2016 } }, include_metadata: false,
    include_vector: true, offset: 0, score_threshold: 0.1,
  }).select('id,vector,metadata').single(),
  { id: 'b/ü&', vector: [1, 1, 0], metadata: null })
await expect(
  db.rpc('search', { collection: name, vector: '[1,0,0]', top_k: 1 }, { get: true }).select('id'),
  [{ id: 'a' }])

await expect(db.rpc('get_point', { collection: name, id: 'b/ü&' }).single(),
  { id: 'b/ü&', vector: [1, 1, 0], metadata: { year: 2017, tags: [] } })
await expect(db.rpc('get_point', { collection: name, id: 'zz' }).maybeSingle(), null)
await expect(db.rpc('count', { collection: name, filter: { year: { $exists: true } } }), 2)
await expect(db.rpc('count', { collection: name }), 3)
await expect(db.rpc('delete_points', { collection: name, ids: ['a', 'zz'] }), 1)

await refuse(db.rpc('search', { collection: 'nobody', vector: [1] }), 404, '42P01', /"nobody" does not exist/)
await refuse(db.rpc('search', { collection: name, vector: [1, 2] }), 400, '22000', /expected 3 dimensions, not 2/)
await refuse(db.rpc('upsert', { collection: name, points: [{ id: 'x' }] }), 400, '22023', /^points\[0\]\.vector/)
await refuse(db.rpc('search', { collection: name, vector: [1, 2, 3], nonsense: 1 }), 404, 'PGRST202', /search/)
await refuse(db.from('points').select(), 404, 'HTTP404', /no such route/)

await expect(db.rpc('drop_collection', { name }))
await refuse(db.rpc('get_collection', { name }), 404, '42P01', /does not exist/)
console.log(`${checks} checks`)
