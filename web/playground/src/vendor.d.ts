declare module 'monaco-editor/esm/vs/editor/*';
declare module 'monaco-editor/esm/vs/base/*';
declare module 'monaco-editor/esm/vs/basic-languages/*';
declare module 'monaco-editor/esm/vs/language/*';

interface Window {
  MonacoEnvironment: { getWorker(id: string, label: string): Worker };
}
