import { useEffect, useRef, type FormEvent, type ReactNode, type RefObject } from 'react';
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
  const editor = useGraphiQL((state) => state.queryEditor);
  const chosen = useRef(false);
  const choose = (example: Example) => {
    chosen.current = true;
    open(example);
  };
  // The menu holds the focus until it is closed, and gives it back to its button, unless something was chosen.
  const closed = (event: Event) => {
    if (!chosen.current) return;
    chosen.current = false;
    event.preventDefault();
    editor?.focus();
  };
  return (
    <Menu label="Examples" closed={closed}>
      {settings.examples.map((example) => (
        <DropdownMenu.Item key={example.title} onSelect={() => choose(example)} className="gw-item">
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

function Menu({ label, closed, children }: { label: string; closed?(event: Event): void; children: ReactNode }) {
  return (
    <DropdownMenu>
      <DropdownMenu.Button className="gw-button">
        {label} <span aria-hidden="true">▾</span>
      </DropdownMenu.Button>
      <DropdownMenu.Content className="gw-menu" align="start" onCloseAutoFocus={closed}>
        {children}
      </DropdownMenu.Content>
    </DropdownMenu>
  );
}

// What had the focus goes when somebody signs in or out; what comes in its place takes it, and not the whole page.
function useFocusInTurn(): RefObject<HTMLDivElement | null> {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const timer = setTimeout(() => {
      if (document.activeElement === document.body) place.current?.focus();
    });
    return () => clearTimeout(timer);
  }, []);
  return place;
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
  const place = useFocusInTurn();
  return (
    <div className="gw-signed-in" ref={place} tabIndex={-1}>
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
  const place = useFocusInTurn();

  async function submit(event: FormEvent) {
    event.preventDefault();
    const done = await session.signIn(email.current?.value.trim() ?? '', password.current?.value ?? '');
    if (!done) password.current?.select();
  }

  return (
    <form className="gw-sign-in" onSubmit={(event) => void submit(event)} aria-label="Sign in">
      <div ref={place} tabIndex={-1} />
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
