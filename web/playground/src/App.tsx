import { useEffect, useMemo, useState } from 'react';
import { GraphiQLInterface } from 'graphiql';
import { DOC_EXPLORER_PLUGIN, DocExplorerStore } from '@graphiql/plugin-doc-explorer';
import { GraphiQLProvider, pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { fill, showsSchemaToAll } from './api';
import { Bar } from './Bar';
import { newFetcher } from './fetcher';
import { useSession, type Session } from './session';
import { settings, type Example } from './settings';
import { storage } from './storage';
import { themes } from './themes';

const greeting = `# Grantwood's GraphQL API, version ${settings.version}.
#
# Sign in above, or give a token in the headers below: {"Authorization": "Bearer …"}.
# "Examples" has operations to start from. Ctrl-Space completes, Ctrl-Enter runs.
`;

const plugins = [DOC_EXPLORER_PLUGIN];

/** The playground. */
export function App() {
  const session = useSession();
  const [headers, setHeaders] = useState('');
  const mayReadSchema = useMayReadSchema(session, headers);
  const refresh = session.refresh;
  const fetcher = useMemo(() => newFetcher(refresh), [refresh]);
  return (
    <GraphiQLProvider
      fetcher={fetcher}
      schema={mayReadSchema ? undefined : null}
      storage={storage}
      shouldPersistHeaders={false}
      defaultQuery={settings.examples[0] ? greeting + '\n' + settings.examples[0].query : greeting}
      editorTheme={themes}
      plugins={plugins}
      referencePlugin={DOC_EXPLORER_PLUGIN}
      inputValueDeprecation
      schemaDescription
    >
      <Workbench session={session} onEditHeaders={setHeaders} />
    </GraphiQLProvider>
  );
}

function Workbench({ session, onEditHeaders }: { session: Session; onEditHeaders(text: string): void }) {
  const open = useOpen(session);
  return (
    <div className="gw-page">
      <Bar session={session} open={(example) => void open(example)} />
      <main>
        <DocExplorerStore>
          <GraphiQLInterface
            showPersistHeadersSettings={false}
            defaultEditorToolsVisibility="variables"
            onEditHeaders={onEditHeaders}
          />
        </DocExplorerStore>
      </main>
    </div>
  );
}

// Servers may show the schema only to callers whom they know. It is asked for when one is there: somebody signed in, or there is a
// whole token in the headers; or when the server shows it to all.
function useMayReadSchema({ caller }: Session, headers: string): boolean {
  const [may, setMay] = useState(false);
  const given = /"authorization"\s*:\s*"\w+ [^"]{20,}"/i.test(headers);
  useEffect(() => {
    if (caller || given) setMay(true);
    else if (caller === null) void showsSchemaToAll().then((all) => setMay((before) => before || all));
  }, [caller, given]);
  return may;
}

// Opens an example in a tab of its own. In the demo it signs the person in whom it is made for when nobody is.
function useOpen(session: Session) {
  const { addTab } = useGraphiQLActions();
  const { queryEditor, variableEditor } = useGraphiQL(pick('queryEditor', 'variableEditor'));
  return async (example: Example) => {
    if (settings.demo && example.person && session.caller === null) await session.signIn(example.person, settings.demo.password);
    const variables = await fill(example.variables, example.lookup);
    if (queryEditor?.getValue().trim()) addTab();
    queryEditor?.setValue(example.query);
    variableEditor?.setValue(variables);
  };
}
