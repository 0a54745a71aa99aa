// Characters that are invisible, or that change how the text around them is displayed, in the names of people's files.
// The same as slipway/archive/invisible_characters.py.
const INVISIBLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/gu;
/** @type {Record<string, string>} */
const SHORT = { "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** @param {string} letter */
function escaped(letter) {
  const hex = Number(letter.codePointAt(0)).toString(16);
  if (hex.length < 3) return SHORT[letter] ?? `\\x${hex.padStart(2, "0")}`;
  return hex.length < 5 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

/**
 * A name with these characters escaped, such as "\u202e".
 * @param {string} name
 */
export const escapeInvisible = (name) => name.replace(INVISIBLE, escaped);
