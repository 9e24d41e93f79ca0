import './nonce';
import './workers';

import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import 'graphiql/graphiql.css';
import './page.css';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { defineThemes } from './themes';

// The editors take their theme when they are made, so it is there first.
const monaco = await import('./monaco');
defineThemes(monaco);

const root = document.getElementById('root');
if (root) createRoot(root).render(<App />);
