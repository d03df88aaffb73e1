/** A labelled input with what helps to fill it in. */
import { type ComponentProps, type ReactNode, useId } from 'react';

interface Own {
  label: string;
  hint?: string;
}

export function Field({ label, hint, ...input }: Own & ComponentProps<'input'>) {
  const id = useId();
  return (
    <Labelled id={id} label={label} hint={hint}>
      <input id={id} aria-describedby={hint && `${id}-hint`} {...input} />
    </Labelled>
  );
}

export function TextField({ label, hint, ...area }: Own & ComponentProps<'textarea'>) {
  const id = useId();
  return (
    <Labelled id={id} label={label} hint={hint}>
      <textarea id={id} aria-describedby={hint && `${id}-hint`} rows={3} {...area} />
    </Labelled>
  );
}

export function SelectField({ label, hint, children, ...select }: Own & ComponentProps<'select'>) {
  const id = useId();
  return (
    <Labelled id={id} label={label} hint={hint}>
      <select id={id} aria-describedby={hint && `${id}-hint`} {...select}>
        {children}
      </select>
    </Labelled>
  );
}

function Labelled({ id, label, hint, children }: { id: string; label: string; hint: string | undefined; children: ReactNode }) {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children}
      {hint && (
        <p id={`${id}-hint`} className="hint">
          {hint}
        </p>
      )}
    </div>
  );
}

/** A form's text, trimmed; `null` where nothing was written. */
export function text(form: FormData, name: string): string | null {
  const value = form.get(name);
  return typeof value === 'string' && value.trim() ? value.trim() : null;
}

/** Whether it is one of the words that a choice offers; forms give any text. */
export const oneOf = <T extends string>(words: readonly T[], value: string | null, fallback: T): T => words.find((word) => word === value) ?? fallback;
