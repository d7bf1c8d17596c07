// Letters that look like an ASCII letter, by that letter: from confusables.txt of Unicode 17.0.0 (UTS #39), single letters of
// Latin, Greek, Cyrillic, Armenian, Cherokee, Coptic and Lisu; what NFKC folds anyway is left out.
// Copyright 1991-2025 Unicode, Inc. Used under the Unicode License v3 (https://www.unicode.org/license.txt).

const LOOKS_LIKE: Readonly<Record<string, string>> = {
  a: 'ɑαаΑАᎪꭺꓮ',
  b: 'ƄƅЬьᏏꮟꞴꞵΒβⲂⲃВвᏴᏼꓐ',
  c: 'ᴄϲⲥсꮯϹⲤСᏟꓚ',
  d: 'ԁᏧꮷꓒᎠꭰꓓ',
  e: 'ꬲеҽΕεЕᎬꭼꓰ',
  f: 'ꬵꞙƒẝքꞘϜϝꓝ',
  g: 'ɡᶃƍցԌԍᏀꮐᏳᏻꓖ',
  h: 'һհᏂꮒΗηⲎⲏНнᎻꮋꓧ',
  i: 'ıɪɩιιⲓіꙇւꭵᎥ',
  j: 'ϳјꞲʝͿЈᎫꭻꓙ',
  k: 'ΚκⲔⲕКкᏦꮶꓗ',
  l: 'ƖǀΙⲒІӏӀꓲⳐⳑᏞꮮꓡ',
  m: 'ΜμϺϻⲘⲙМмᎷꮇꓟ',
  n: 'ոռΝⲚⲛꓠ',
  o: 'ᴏᴑꬽοσⲟϭоօΟⲞОՕꓳ',
  p: 'þƿρϱϸⲣⳏрΡⲢⳎРᏢꮲꓑ',
  q: 'ԛգզ',
  r: 'ꭇꭈᴦⲅгꮁƦʀᎡꭱᏒꮢꓣ',
  s: 'ꜱƽѕꮪЅՏտᏕꮥᏚꓢ',
  t: 'ΤτⲦⲧТтᎢꭲꓔ',
  u: 'ꞟᴜꭎꭒʋυսՍꓴ',
  v: 'ᴠνѵꮩѴᏙꓦ',
  w: 'ɯᴡⲽѡшԝաꮃԜᎳᏔꮤꓪ',
  x: 'хꞳꭓΧχⲬⲭХꓫ',
  y: 'ɣᶌʏỿꭚγⲩуүΥϒⲨУҮᎩꭹᎽꮍꓬ',
  z: 'ᴢꮓΖζᏃꓜ',
};

/** Code unit -> code of the ASCII letter. */
export function confusables(): ReadonlyMap<number, number> {
  return new Map(
    Object.entries(LOOKS_LIKE).flatMap(([letter, others]) =>
      [...others].map((other) => [other.charCodeAt(0), letter.charCodeAt(0)] as const),
    ),
  );
}
