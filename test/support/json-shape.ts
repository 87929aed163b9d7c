/** Names of fields, all the way down; what is in an array counts together, values do not. */
export type Shape = { readonly [field: string]: Shape } | readonly [Shape] | null;

/** The shape of a JSON value, so that two documents can be compared for their fields. */
export function shapeOf(value: unknown): Shape {
  if (Array.isArray(value)) return [value.map(shapeOf).reduce(merged, null)];
  if (typeof value !== 'object' || value === null) return null;
  return Object.fromEntries(
    Object.entries(value)
      .map(([field, inner]) => [field, shapeOf(inner)] as const)
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}

function merged(one: Shape, other: Shape): Shape {
  if (one === null || other === null) return one ?? other;
  if (isList(one) || isList(other)) return isList(one) && isList(other) ? [merged(one[0], other[0])] : one;
  const fields = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
  return Object.fromEntries(fields.map((field) => [field, merged(one[field] ?? null, other[field] ?? null)]));
}

function isList(shape: NonNullable<Shape>): shape is readonly [Shape] {
  return Array.isArray(shape);
}
