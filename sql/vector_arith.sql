-- arithmetic, norm, parts and elements

SELECT '[1,2,3]'::vector + '[4,5,6]';
SELECT '[3e38]'::vector + '[3e38]';
SELECT '[1,2]'::vector + '[3]';
SELECT '[1,2,3]'::vector - '[4,5,6]';
SELECT '[-3e38]'::vector - '[3e38]';
SELECT '[1,2]'::vector - '[3]';
SELECT '[1,2,3]'::vector * '[4,5,6]';
SELECT '[1e37]'::vector * '[1e37]';
SELECT '[1e-37]'::vector * '[1e-37]';
SELECT '[1e-37,0]'::vector * '[0,1e-37]';
SELECT '[1,2]'::vector * '[3]';
SELECT '[1,2,3]'::vector || '[4,5]';
SELECT array_fill(0, ARRAY[16000])::vector || '[1]';

SELECT vector_dims('[1,2,3]'::vector), vector_dims('[7]'::vector);
SELECT vector_norm('[3,4]'::vector), vector_norm('[0,0]'::vector), vector_norm('[2]'::vector),
	vector_norm('[3e37,4e37]'::vector)::real, vector_norm('[0,0.1]'::vector)::real;
SELECT l2_normalize('[3,4]'::vector), l2_normalize('[3,0]'::vector), l2_normalize('[0,0.1]'::vector),
	l2_normalize('[0,0]'::vector), l2_normalize('[3e38]'::vector), l2_normalize('[1e-45,0]'::vector);

SELECT binary_quantize('[1,0,-1]'::vector), binary_quantize('[1e-45,-0]'::vector);
SELECT binary_quantize('[0,0.1,-0.2,-0.3,0.4,0.5,0.6,-0.7,0.8,-0.9,1]'::vector);
SELECT binary_quantize('[1,2,3,-4,5,6,-7,8]'::vector)::bit(8), length(binary_quantize(array_fill(1, ARRAY[777])::vector));

-- subvector: counted from 1, cut off at the ends as substring() does
SELECT start, count, subvector('[1,2,3,4,5]'::vector, start, count)
	FROM (VALUES (1, 3), (3, 2), (-1, 3), (3, 9), (-1, 7), (5, 1), (3, 2147483647), (-2147483644, 2147483647)) AS t (start, count);
SELECT subvector('[1,2,3,4,5]'::vector, 1, 0);
SELECT subvector('[1,2,3,4,5]'::vector, 3, -1);
SELECT subvector('[1,2,3,4,5]'::vector, -1, 2);
SELECT subvector('[1,2,3,4,5]'::vector, 6, 1);
SELECT subvector('[1,2,3,4,5]'::vector, 2147483647, 10);
SELECT subvector('[1,2,3,4,5]'::vector, -2147483648, -2147483648);

-- elements: NULL outside, as for arrays
SELECT i, vector_get('[10,20,30]', i) FROM unnest(ARRAY[-2147483648, 0, 1, 3, 4, 2147483647, NULL]) i;
