export function Plugin() { return null; }
