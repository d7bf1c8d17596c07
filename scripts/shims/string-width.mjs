// Stands in for `string-width` in the bundles: our help texts are one column a character, and the original makes an
// Intl.Segmenter and emoji tables at load, 25 ms of every start of every program (measured, Node 20.20).
// biome-ignore lint/style/noDefaultExport: the package it stands in for has one.
export default function stringWidth(text) {
  return String(text).length;
}
