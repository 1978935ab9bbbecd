//! What AppArmor must allow: Debian's profile of mysqld lets it read neither a manifest beside the program nor a configuration
//! beside the libraries, and a keyring that cannot be read is silently none.

use std::fs;
use std::path::{Path, PathBuf};

use super::site::Site;

const PROFILE: &str = "usr.sbin.mysqld";
const BEGIN: &str = "# strongroom: begin";
const END: &str = "# strongroom: end";

/// A profile that holds for this server.
pub(super) struct Profile {
    /// Its name for `apparmor_parser -r`.
    pub(super) path: PathBuf,
    /// The file that it includes, and that belongs to the administrator.
    pub(super) local: PathBuf,
}

/// The profile in `folder` that confines this server, if there is one.
pub(super) fn profile(folder: &Path, site: &Site) -> Option<Profile> {
    let path = folder.join(PROFILE);
    let text = fs::read_to_string(&path).ok()?;
    let program = site.mysqld.to_string_lossy();
    let confines = text.lines().any(|line| {
        line.split_whitespace().next().is_some_and(|word| word == program)
            || line.starts_with("profile ") && line.contains(program.as_ref())
    });
    confines.then(|| Profile { local: folder.join("local").join(PROFILE), path })
}

/// The rules that this server needs, between two marks.
pub(super) fn rules(site: &Site, library: &Path, endpoint: &Path) -> String {
    let (global, configuration) = (site.global_manifest(), site.global_configuration());
    let mut lines = vec![BEGIN.to_owned()];
    for file in [global, configuration, site.local_manifest(), site.local_configuration()] {
        lines.push(format!("{} r,", pattern(&file, "")));
    }
    lines.push(format!("{} mr,", pattern(library, "")));
    // The kernel asks about the folder that a link leads to.
    let endpoint = fs::canonicalize(endpoint).unwrap_or_else(|_| endpoint.to_owned());
    lines.push(format!("{} r,", pattern(&endpoint, "/")));
    lines.push(format!("{} r,", pattern(&endpoint, "/**")));
    lines.push("network tcp,".to_owned());
    lines.push(END.to_owned());
    lines.join("\n") + "\n"
}

/// A pattern for this very path and what follows it: one character that AppArmor takes for something else would keep the whole profile
/// from being loaded.
fn pattern(path: &Path, rest: &str) -> String {
    let mut text = String::new();
    for character in path.to_string_lossy().chars() {
        if matches!(character, '\\' | '"' | '*' | '?' | '[' | ']' | '{' | '}' | '^') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push_str(rest);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+*".contains(c);
    if text.chars().all(is_plain) { text } else { format!("\"{text}\"") }
}

/// The administrator's file with these rules, in the place of those of an earlier run.
pub(super) fn with_rules(text: &str, rules: &str) -> String {
    match (text.find(BEGIN), text.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            let after = text[end..].find('\n').map_or("", |line_end| &text[end + line_end + 1..]);
            format!("{}{rules}{after}", &text[..begin])
        }
        _ if text.is_empty() || text.ends_with('\n') => format!("{text}{rules}"),
        _ => format!("{text}\n{rules}"),
    }
}

/// Whether the administrator's file has all of these rules.
pub(super) fn has_rules(text: &str, rules: &str) -> bool {
    let present: Vec<&str> = text.lines().map(str::trim).collect();
    rules.lines().filter(|line| !line.starts_with('#')).all(|rule| present.contains(&rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `apparmor_parser` 3.0 takes each of these. Without their marks some keep it from loading the profile, and others let in more.
    #[test]
    fn a_path_is_a_pattern_for_itself_alone() {
        for (path, rest, expected) in [
            ("/usr/sbin/mysqld.my", "", "/usr/sbin/mysqld.my"),
            ("/etc/mysql/strongroom-1_a+b", "/**", "/etc/mysql/strongroom-1_a+b/**"),
            ("/srv/my data", "/", "\"/srv/my data/\""),
            ("/srv/a*b?c[d]", "/**", r#""/srv/a\*b\?c\[d\]/**""#),
            ("/srv/@{x}^", "", r#""/srv/@\{x\}\^""#),
            (r#"/srv/"\ключ"#, "", r#""/srv/\"\\ключ""#),
        ] {
            assert_eq!(pattern(Path::new(path), rest), expected);
        }
    }

    #[test]
    fn rules_take_the_place_of_earlier_ones_and_leave_the_rest() {
        let rules = |line: &str| format!("{BEGIN}\n{line}\n{END}\n");
        let first = with_rules("/srv/** r,", &rules("/a r,"));
        assert_eq!(first, format!("/srv/** r,\n{}", rules("/a r,")));
        let second = with_rules(&(first + "/late r,\n"), &rules("/b r,"));
        assert_eq!(second, format!("/srv/** r,\n{}/late r,\n", rules("/b r,")));
        assert!(has_rules(&second, &rules("/b r,")) && !has_rules(&second, &rules("/a r,")));
        assert_eq!(with_rules("", &rules("/a r,")), rules("/a r,"));
    }
}
