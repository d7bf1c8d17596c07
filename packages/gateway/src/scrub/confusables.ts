// Letters that look like an ASCII letter, by that letter: from confusables.txt of Unicode 17.0.0 (UTS #39), single letters of
// Latin, Greek, Cyrillic, Armenian, Cherokee, Coptic and Lisu; what NFKC folds anyway is left out.
// Copyright 1991-2025 Unicode, Inc. Used under the Unicode License v3 (https://www.unicode.org/license.txt).

const LOOKS_LIKE: Readonly<Record<string, string>> = {
  a: 'ɑαаΑАᎪꭺꓮ',
  b: 'ƄЬьᏏꮟꞴꞵΒβⲂⲃВвᏴᏼꓐ',
  c: 'ᴄϲⲥсꮯϹⲤСᏟꓚ',
  d: 'ԁᏧꓒᎠꭰꓓ',
  e: 'ꬲеҽΕεЕᎬꭼꓰ',
  f: 'ꬵꞙƒẝքꞘϜꓝ',
  g: 'ɡᶃƍցԌԍᏀꮐᏳᏻꓖ',
  h: 'һհᏂΗηⲎⲏНнᎻꮋꓧ',
  i: 'ıɪɩιιⲓіꙇւꭵᎥ',
  j: 'ϳјꞲͿЈᎫꭻꓙ',
  k: 'ΚκⲔⲕКкᏦꮶꓗ',
  l: 'ƖǀΙⲒІӏӀꓲⳐⳑᏞꮮꓡ',
  m: 'ΜϺⲘⲙМмᎷꮇꓟ',
  n: 'ոռΝⲚⲛꓠ',
  o: 'ᴏᴑꬽοσⲟϭоօΟⲞОՕꓳ',
  p: 'þƿρϱϸⲣⳏрΡⲢⳎРᏢꮲꓑ',
  q: 'ԛգզ',
  r: 'ꭇꭈᴦⲅгꮁƦᎡꭱᏒꮢꓣ',
  s: 'ꜱƽѕꮪЅՏᏕᏚꓢ',
  t: 'ΤτⲦⲧТтᎢꭲꓔ',
  u: 'ꞟᴜꭎꭒʋυսՍꓴ',
  v: 'ᴠνѵꮩѴᏙꓦ',
  w: 'ɯᴡⲽѡшԝաꮃԜᎳᏔꓪ',
  x: 'хꞳꭓΧⲬⲭХꓫ',
  y: 'ɣᶌʏỿꭚγⲩуүΥϒⲨУҮᎩᎽꓬ',
  z: 'ᴢꮓΖᏃꓜ',
};

/** Code unit -> code of the ASCII letter. */
export function confusables(): ReadonlyMap<number, number> {
  return new Map(
    Object.entries(LOOKS_LIKE).flatMap(([letter, others]) =>
      [...others].map((other) => [other.charCodeAt(0), letter.charCodeAt(0)] as const),
    ),
  );
}
