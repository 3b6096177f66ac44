//! Ephemeral credentials of a TURN REST service (draft-uberti-behave-turn-rest-00), for whoever runs both the service and
//! the TURN server: coturn's `--use-auth-secret`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::Credentials;

impl Credentials {
    /// The credentials that a server with the shared `secret` takes until `expires`, in seconds since the Unix epoch: the
    /// username is `expires:user` (or `expires` alone if `user` is empty), the password its HMAC-SHA1 in base64.
    ///
    /// A client gets them from the service. Who calls this is the service: the secret is not for clients.
    pub fn turn_rest(secret: &str, user: &str, expires: u64) -> Self {
        let username = if user.is_empty() { expires.to_string() } else { format!("{expires}:{user}") };
        // HMAC takes keys of any length.
        let mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).map(|mac| mac.chain_update(&username));
        let password = mac.map(|mac| STANDARD.encode(mac.finalize().into_bytes())).unwrap_or_default();
        Self::new(username, password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf 1700000000:bob | openssl dgst -sha1 -hmac topsecret -binary | base64`
    #[test]
    fn as_openssl_makes_them() {
        let credentials = Credentials::turn_rest("topsecret", "bob", 1_700_000_000);
        assert_eq!(credentials.username(), "1700000000:bob");
        assert_eq!(credentials.password(), Some("4hLBmNXAOe546msDTwzb6sRB0PE="));
        assert_eq!(Credentials::turn_rest("topsecret", "", 7).username(), "7");
    }
}
