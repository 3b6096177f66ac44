//! BoringSSL's names for what went wrong. `config.json` has them for the runner; the shim says them, too, so that a runner
//! without that file knows what is meant.

const CONFIG: &str = include_str!("../config.json");

/// The names that fit `reason`, in BoringSSL's form: `:DECODE_ERROR:`.
pub(crate) fn of(reason: &str) -> Vec<String> {
    let config: serde_json::Value = serde_json::from_str(CONFIG).unwrap_or_default();
    let map = config.get("ErrorMap").and_then(serde_json::Value::as_object);
    let fits = |words: &serde_json::Value| {
        let mut words = words.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
        words.any(|word| reason.contains(word))
    };
    map.into_iter().flatten().filter(|(_, words)| fits(words)).map(|(name, _)| name.clone()).collect()
}
