//! `atlashub:mail/sender`: mails by way of the host.

use super::not_granted;
use crate::{
    bindings::mail::sender::{Error, Host, Template},
    state::{PluginShared, State, for_guest},
};
use atlashub_core::{
    Grant, RequestId, Result,
    capability::mail::{MailTo, PluginMail},
};
use std::sync::Arc;

type Values = Vec<(String, String)>;
type Answer = wasmtime::Result<std::result::Result<String, Error>>;

impl PluginShared {
    fn may_mail(&self, to: &MailTo) -> Result<()> {
        let (grant, text) = match to {
            MailTo::User(_) => (Grant::Mail, "mail".to_owned()),
            MailTo::Address(address) => {
                (Grant::MailTo(address.parse()?), format!("mail:{address}"))
            }
        };
        if self.grants.contains(&grant) {
            Ok(())
        } else {
            Err(not_granted(&text))
        }
    }

    async fn send_mail(
        &self,
        to: MailTo,
        mail: Template,
        values: Values,
        key: Option<String>,
        request: RequestId,
    ) -> Result<String> {
        self.may_mail(&to)?;
        let mail = PluginMail {
            to,
            subject: mail.subject,
            text: mail.text,
            html: mail.html,
            values,
            key,
            request,
        };
        mail.check()?;
        let sent = self.services.mails.send(&self.scope, mail);
        Ok(sent.await?.to_string())
    }
}

impl State {
    fn sender(&self) -> (Arc<PluginShared>, RequestId) {
        let plugin = Arc::clone(&self.hooks.plugin);
        (plugin, self.hooks.request.request_id)
    }
}

fn told(sent: Result<String>) -> Answer {
    Ok(sent.map_err(|error| {
        let (code, message) = for_guest(&error);
        Error { code, message }
    }))
}

impl Host for State {
    async fn send_to_user(
        &mut self,
        user_id: String,
        mail: Template,
        values: Values,
        key: Option<String>,
    ) -> Answer {
        let (plugin, request) = self.sender();
        let to = MailTo::User(user_id);
        told(plugin.send_mail(to, mail, values, key, request).await)
    }

    async fn send_to_address(
        &mut self,
        address: String,
        mail: Template,
        values: Values,
        key: Option<String>,
    ) -> Answer {
        let (plugin, request) = self.sender();
        let to = MailTo::Address(address);
        told(plugin.send_mail(to, mail, values, key, request).await)
    }
}
