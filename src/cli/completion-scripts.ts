/**
 * The scripts that shells load: each asks `refloat __complete -- WORDS` at Tab and offers what is printed, one `word<TAB>about` to a
 * line; the single line `:files` asks for paths. Nothing of the command line itself is written here.
 */

export const completionCommandName = "__complete";

/** What stands alone on the first line when the shell is to complete paths. */
export const filesDirective = ":files";

const bash = `# bash completion for refloat
_refloat() {
  local current=\${COMP_WORDS[COMP_CWORD]} lines line word typed= prefix=
  local -a words=()
  # bash parts words at colons, which stand inside a place: they are put together as they were typed, and a reply begins after the last one.
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [[ \${#words[@]} -gt 0 && ( $word == :* || \${words[-1]} == *: ) ]]; then words[-1]+=$word; else words+=("$word"); fi
  done
  [[ \${#words[@]} -gt 0 ]] && typed=\${words[-1]}
  [[ $COMP_WORDBREAKS == *:* ]] && prefix=\${typed%"\${typed##*:}"}
  lines=$(refloat ${completionCommandName} -- "\${words[@]}" 2>/dev/null) || return 0
  COMPREPLY=()
  if [[ $lines == "${filesDirective}" ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return 0
  fi
  while IFS= read -r line; do
    line=\${line%%$'\\t'*}
    [[ -n $line ]] && COMPREPLY+=("\${line#"$prefix"}")
  done <<<"$lines"
  # After a component comes a path, after a folder what is in it: no blank is put there.
  [[ \${COMPREPLY[0]-} == *[:/] ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _refloat refloat
`;

const zsh = `#compdef refloat
_refloat() {
  local lines line word
  local -a described
  lines=$(refloat ${completionCommandName} -- "\${(@)words[2,CURRENT]}" 2>/dev/null) || return 0
  if [[ $lines == "${filesDirective}" ]]; then
    _files
    return
  fi
  for line in "\${(@f)lines}"; do
    [[ -z $line ]] && continue
    word=\${line%%$'\\t'*}
    # A colon parts word and description in _describe.
    described+=("\${word//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( $#described )) && _describe -V refloat described
}
# As a file in fpath this body runs at the first Tab; sourced, it makes itself known.
if [[ $funcstack[1] == _refloat ]]; then _refloat "$@"; else compdef _refloat refloat; fi
`;

const fish = `# fish completion for refloat
function __refloat_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l lines (refloat ${completionCommandName} -- $words[2..-1] 2>/dev/null)
  if test "$lines" = "${filesDirective}"
    __fish_complete_path (commandline -ct)
    return
  end
  printf '%s\\n' $lines
end
complete -c refloat -f -a '(__refloat_complete)'
`;

export const completionScripts = { bash, zsh, fish } as const;
