// Formats variables and headers, in the place of prettier's plugins for JavaScript: these are a tenth of the whole page, and
// formatting JSON is a function of the library that is here anyway.
import { applyEdits, format } from 'jsonc-parser';

interface Text {
  text: string;
}

const layout = { tabSize: 2, insertSpaces: true, eol: '\n' };

export const parsers = {
  jsonc: {
    parse: (text: string): Text => ({ text }),
    astFormat: 'jsonc-text',
    locStart: () => 0,
    locEnd: ({ text }: Text) => text.length,
  },
};

export const printers = {
  'jsonc-text': {
    print: ({ node: { text } }: { node: Text }) => applyEdits(text, format(text, undefined, layout)),
  },
};
