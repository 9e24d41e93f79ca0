import { useRef, type FormEvent, type ReactNode } from 'react';
import { DropdownMenu, useGraphiQL } from '@graphiql/react';
import icon from './icon.svg';
import type { Session } from './session';
import { settings, type Example } from './settings';

/** The bar above the editors: the product, the examples, and who is signed in. */
export function Bar({ session, open }: { session: Session; open(example: Example): void }) {
  return (
    <header className="gw-bar">
      <img src={icon} alt="" width="26" height="26" />
      <h1>
        Grantwood <span>playground</span>
      </h1>
      <Examples open={open} />
      <div className="gw-space" />
      <TokenNote />
      {session.caller ? <SignedIn session={session} /> : session.caller === null && <SignIn session={session} />}
    </header>
  );
}

function Examples({ open }: { open(example: Example): void }) {
  return (
    <Menu label="Examples">
      {settings.examples.map((example) => (
        <DropdownMenu.Item key={example.title} onSelect={() => open(example)} className="gw-item">
          <span>
            <strong>{example.title}</strong> {madeFor(example)}
          </span>
          <small>{example.about}</small>
        </DropdownMenu.Item>
      ))}
    </Menu>
  );
}

function madeFor({ person }: Example): string {
  const name = settings.demo?.people.find(({ email }) => email === person)?.name;
  return name ? `· ${name}` : '';
}

function Menu({ label, children }: { label: string; children: ReactNode }) {
  return (
    <DropdownMenu>
      <DropdownMenu.Button className="gw-button">
        {label} <span aria-hidden="true">▾</span>
      </DropdownMenu.Button>
      <DropdownMenu.Content className="gw-menu" align="start">
        {children}
      </DropdownMenu.Content>
    </DropdownMenu>
  );
}

// A token in the headers of the tab goes before the session: whoever reads an answer should know whose it is.
function TokenNote() {
  const headers = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.headers ?? '');
  if (!/"authorization"\s*:/i.test(headers)) return null;
  return (
    <p className="gw-note" role="status">
      This tab calls with the Authorization of its headers.
    </p>
  );
}

function SignedIn({ session }: { session: Session }) {
  const { caller, busy } = session;
  return (
    <div className="gw-signed-in">
      <p role="status" title={caller?.email}>
        <strong>{caller?.name}</strong> <span>{caller?.account}</span>
      </p>
      {settings.demo && <People session={session} label="Switch person" />}
      <button type="button" className="gw-button" disabled={busy} onClick={() => void session.signOut()}>
        Sign out
      </button>
    </div>
  );
}

function People({ session, label }: { session: Session; label: string }) {
  const demo = settings.demo;
  if (!demo) return null;
  return (
    <Menu label={label}>
      {demo.people.map(({ email, name, about }) => (
        <DropdownMenu.Item key={email} className="gw-item" onSelect={() => void session.signIn(email, demo.password)}>
          <strong>{name}</strong>
          <small>
            {email} · {about}
          </small>
        </DropdownMenu.Item>
      ))}
    </Menu>
  );
}

function SignIn({ session }: { session: Session }) {
  const email = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);

  async function submit(event: FormEvent) {
    event.preventDefault();
    const done = await session.signIn(email.current?.value.trim() ?? '', password.current?.value ?? '');
    if (!done) password.current?.select();
  }

  return (
    <form className="gw-sign-in" onSubmit={(event) => void submit(event)} aria-label="Sign in">
      {session.error && (
        <p className="gw-error" role="alert" id="sign-in-error">
          {session.error}
        </p>
      )}
      {settings.demo && <People session={session} label="Sign in as …" />}
      <label>
        <span>E-mail</span>
        <input ref={email} type="email" name="email" autoComplete="username" required placeholder="E-mail" />
      </label>
      <label>
        <span>Password</span>
        <input
          ref={password}
          type="password"
          name="password"
          autoComplete="current-password"
          required
          placeholder="Password"
          aria-invalid={session.error !== ''}
          aria-describedby={session.error ? 'sign-in-error' : undefined}
        />
      </label>
      <button type="submit" className="gw-button gw-primary" disabled={session.busy}>
        Sign in
      </button>
    </form>
  );
}
