import type * as Monaco from 'monaco-editor';

/** Names of the editors' themes. */
export const themes = { dark: 'grantwood-dark', light: 'grantwood-light' };

const clear = '#00000000';

/** Makes the editors' themes, with the colours of the page. */
export function defineThemes({ editor }: typeof Monaco) {
  const define = (name: string, base: 'vs' | 'vs-dark', accent: string, popup: string, rules: Monaco.editor.ITokenThemeRule[]) =>
    editor.defineTheme(name, {
      base,
      inherit: true,
      rules,
      colors: {
        'editor.background': clear,
        'scrollbar.shadow': clear,
        focusBorder: accent,
        'textLink.foreground': accent,
        'textLink.activeForeground': accent,
        'editorLink.activeForeground': accent,
        'list.highlightForeground': accent,
        'list.focusHighlightForeground': accent,
        'list.hoverBackground': accent + '1c',
        'editorSuggestWidget.background': popup,
        'editorSuggestWidget.selectedBackground': accent + '2c',
        'editorSuggestWidget.selectedForeground': accent,
        'editorHoverWidget.background': popup,
        'editorWidget.background': popup,
        'menu.background': popup,
        'menu.selectionBackground': accent + '2c',
        'menu.selectionForeground': accent,
        'quickInput.background': popup,
        'quickInputList.focusBackground': accent + '2c',
      },
    });
  define(themes.light, 'vs', '#1f6b4a', '#ffffff', [
    { token: 'keyword.gql', foreground: '8a3b12' },
    { token: 'key.identifier.gql', foreground: '1f4f7a' },
    { token: 'argument.identifier.gql', foreground: '6c4a9e' },
    { token: 'type.identifier.gql', foreground: '1f6b4a' },
    { token: 'comment', foreground: '6a7570' },
  ]);
  define(themes.dark, 'vs-dark', '#6fcf9f', '#1d2824', [
    { token: 'keyword.gql', foreground: 'f0a878' },
    { token: 'key.identifier.gql', foreground: '9ccbf0' },
    { token: 'argument.identifier.gql', foreground: 'c3a8ef' },
    { token: 'type.identifier.gql', foreground: '6fcf9f' },
    { token: 'comment', foreground: '8b9992' },
  ]);
}
