// The page's own look, where System Console's classes do not reach. All colours are the theme's; its red is too weak for small
// text, so it is mixed with the text's colour.
export const styles = `
.teleport-settings { color: var(--center-channel-color, #3f4350); }
.teleport-settings h3 { margin: 32px 0 16px; font-size: 18px; font-weight: 600; }
.teleport-settings h4 { margin: 24px 0 12px; font-size: 15px; font-weight: 600; }
.teleport-settings fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
.teleport-settings textarea.form-control { font-family: monospace; resize: vertical; }
.teleport-settings a { color: var(--link-color, #386fe5); }
.teleport-toolbar { display: flex; flex-wrap: wrap; gap: 8px; margin-bottom: 16px; }
.teleport-panel, .teleport-card { border: 1px solid rgba(var(--center-channel-color-rgb, 63, 67, 80), 0.16); border-radius: 4px; padding: 16px; margin-bottom: 16px; }
.teleport-panel h3, .teleport-card h4 { margin-top: 0; }
.teleport-problem { margin: 4px 0 0; }
.teleport-wrong, .teleport-problem.teleport-wrong { color: color-mix(in srgb, var(--error-text, #d24b4e) 75%, var(--center-channel-color, #3f4350)); }
.teleport-missing { color: rgba(var(--center-channel-color-rgb, 63, 67, 80), 0.75); }
.teleport-warning { color: var(--center-channel-color, #3f4350); border-left: 3px solid var(--away-indicator, #ffbc1f); padding-left: 8px; }
.teleport-settings [aria-invalid='true'] { border-color: var(--error-text, #d24b4e); }
.teleport-note, .teleport-facts { border-left: 3px solid var(--button-bg, #1c58d9); background: rgba(var(--button-bg-rgb, 28, 88, 217), 0.08); padding: 8px 12px; margin-bottom: 12px; }
.teleport-settings .btn[aria-disabled='true'] { opacity: 0.5; cursor: default; }
.teleport-held { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; }
.teleport-drop { border: 1px dashed transparent; border-radius: 4px; }
.teleport-drop .btn { margin-top: 4px; }
.teleport-over { border-color: var(--button-bg, #1c58d9); background: rgba(var(--button-bg-rgb, 28, 88, 217), 0.08); }
.teleport-said { color: rgba(var(--center-channel-color-rgb, 63, 67, 80), 0.75); }
.teleport-copyable { margin: 8px 0; }
.teleport-copyable pre { color: inherit; background: rgba(var(--center-channel-color-rgb, 63, 67, 80), 0.06); border-color: rgba(var(--center-channel-color-rgb, 63, 67, 80), 0.16); white-space: pre-wrap; overflow-wrap: anywhere; margin-bottom: 4px; }
.teleport-copyable code, .teleport-settings code { color: inherit; background: rgba(var(--center-channel-color-rgb, 63, 67, 80), 0.06); }
.teleport-copyable pre code { background: none; padding: 0; }
.teleport-steps { list-style: none; padding: 0; margin: 12px 0 0; }
.teleport-steps > li { display: flex; gap: 8px; padding: 6px 0; }
.teleport-steps > li > div { flex: 1; min-width: 0; }
.teleport-steps > li > div > .btn { margin-top: 4px; }
.teleport-held input[type='date'] { width: auto; }
.teleport-mark { width: 18px; flex: none; text-align: center; font-weight: 700; }
[data-outcome='ok'] > .teleport-mark { color: var(--online-indicator, #3db887); }
[data-outcome='failed'] > .teleport-mark { color: var(--error-text, #d24b4e); }
[data-outcome='pending'] > .teleport-mark { animation: teleport-turn 1s linear infinite; }
.teleport-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@keyframes teleport-turn { to { transform: rotate(360deg); } }
@media (prefers-reduced-motion: reduce) { [data-outcome='pending'] > .teleport-mark { animation: none; } }
`;
