// Stands for the editors that compare texts, which Monaco's interface names and the playground never makes.

class NotHere {
  constructor() {
    throw new Error('The playground has no editor that compares texts.');
  }
}

export { NotHere as DiffEditorWidget, NotHere as MultiDiffEditorWidget };
