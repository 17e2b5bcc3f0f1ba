// System Console's own fields, for settings that a plugin brings no component for.
import React from 'react';

/** Help texts are Markdown; plugins hardly use more of it than code. */
export const Text = ({ children }) => <>{children.split('`').map((part, place) => (place % 2 ? <code key={place}>{part}</code> : part))}</>;

export const Row = ({ id, label, helpText, children }) => (
  <div className="form-group" data-testid={id}>
    <label className="control-label col-sm-4" htmlFor={id}>
      {label}
    </label>
    <div className="col-sm-8">
      {children}
      <div className="help-text" id={`${id}help-text`}>
        {helpText}
      </div>
    </div>
  </div>
);

const Choice = ({ id, value, disabled, onChange }) => (
  <>
    {[true, false].map((choice) => (
      <label key={String(choice)} className="radio-inline">
        <input type="radio" name={id} checked={value === choice} disabled={disabled} onChange={() => onChange(id, choice)} />
        {String(choice)}
      </label>
    ))}
  </>
);

export const NativeField = ({ setting, id, label, helpText, value, disabled, onChange }) => {
  if (setting.type === 'bool')
    return (
      <fieldset className="form-group" data-testid={id}>
        <legend className="control-label col-sm-4">{label}</legend>
        <div className="col-sm-8">
          <Choice id={id} value={value} disabled={disabled} onChange={onChange} />
          <div className="help-text">{helpText}</div>
        </div>
      </fieldset>
    );
  const common = {
    id,
    className: 'form-control',
    value: value ?? '',
    disabled,
    placeholder: setting.placeholder,
    'aria-describedby': `${id}help-text`,
    onChange: (event) => onChange(id, event.target.value),
  };
  const fields = {
    longtext: () => <textarea {...common} rows={5} />,
    number: () => <input {...common} type="number" onChange={(event) => onChange(id, Number(event.target.value))} />,
    dropdown: () => (
      <select {...common}>
        {setting.options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.display_name}
          </option>
        ))}
      </select>
    ),
    generated: () => <input {...common} type="text" readOnly />,
    text: () => <input {...common} type="text" />,
  };
  return (
    <Row id={id} label={label} helpText={helpText}>
      {(fields[setting.type] ?? fields.text)()}
    </Row>
  );
};
