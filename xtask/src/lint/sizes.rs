//! Files stay under 600 lines of code, functions take 80 at most.

use std::{fs, path::Path};

use super::{Findings, code_lines};
use crate::{Result, files, names};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 80;

pub(super) fn check(found: &mut Findings) -> Result<()> {
    for path in files(&["crates", "conformance", "interop", "benches", "xtask"], "rs")? {
        if is_exempt(&path) {
            continue;
        }
        let text = fs::read_to_string(crate::root().join(&path))?;
        measure(&path.display().to_string(), &text, found);
    }
    Ok(())
}

/// Tests, benches, examples and fuzz targets may be as long as they like.
fn is_exempt(path: &Path) -> bool {
    let inside =
        path.components().skip(1).any(|c| ["tests", "benches", "examples"].iter().any(|d| c.as_os_str() == *d));
    inside || path.starts_with("conformance/fuzz")
}

fn measure(path: &str, text: &str, found: &mut Findings) {
    let lines = code_lines(text);
    found.files += 1;
    if lines.len() > found.longest_file.0 {
        found.longest_file = (lines.len(), path.to_owned());
    }
    if lines.len() >= FILE_LINES {
        found.faults.push(format!("{path}: {} lines of code; files stay under {FILE_LINES}", lines.len()));
    }
    for (at, (number, line)) in lines.iter().enumerate() {
        let Some(name) = names::fn_name(line) else { continue };
        let length = function_length(lines.get(at..).unwrap_or_default());
        found.functions += 1;
        if length > found.longest_function.0 {
            found.longest_function = (length, format!("{path}:{number} {name}"));
        }
        if length > FUNCTION_LINES {
            found
                .faults
                .push(format!("{path}:{number}: `{name}` has {length} lines of code; {FUNCTION_LINES} at most"));
        }
    }
}

/// From the line that declares the function to the brace that closes it; rustfmt puts that under the declaration.
fn function_length(lines: &[(usize, &str)]) -> usize {
    let indent = |l: &str| l.len() - l.trim_start().len();
    let Some((_, first)) = lines.first() else { return 0 };
    let depth = indent(first);
    for (at, (_, line)) in lines.iter().enumerate() {
        let no_body = indent(line) <= depth + 4 && line.ends_with(';') && !first.ends_with('{');
        let one_line = at == 0 && line.ends_with('}');
        let closing = indent(line) == depth && line.trim() == "}";
        if closing || one_line || (no_body && at == 0) || (no_body && line.trim_start().starts_with(')')) {
            return at + 1;
        }
    }
    lines.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_functions_and_files_are_found() {
        let body = "    let x = 1;\n\n    // a comment\n".repeat(79);
        let mut found = Findings::default();
        measure("a.rs", &format!("fn short() {{}}\n\nfn f() {{\n{body}}}\n"), &mut found);
        assert_eq!((found.functions, found.longest_function.0), (2, 81));
        assert_eq!(found.faults.len(), 1, "{:?}", found.faults);

        let mut found = Findings::default();
        measure("b.rs", &"const X: u8 = 1;\n".repeat(600), &mut found);
        assert_eq!(found.faults.len(), 1);
        let mut found = Findings::default();
        measure("b.rs", &format!("{}#[cfg(test)]\n{0}", "const X: u8 = 1;\n".repeat(599)), &mut found);
        assert!(found.faults.is_empty());
    }

    #[test]
    fn a_function_without_body_ends_with_its_declaration() {
        let text = "trait T {\n    fn a(&self);\n    fn b(\n        &self,\n    ) -> u8;\n    fn c(&self) {\n        x()\n    }\n}\n";
        let lines = code_lines(text);
        let lengths: Vec<usize> = [1, 2, 5].iter().map(|&at| function_length(&lines[at..])).collect();
        assert_eq!(lengths, [1, 3, 3]);
    }
}
