//! Generates the operations by progenitor, with every type referred to by name.

use std::collections::BTreeMap;

use progenitor::{GenerationSettings, Generator, InterfaceStyle, TagStyle, TypeImpl};
use quote::quote;
use serde_json::Value;
use syn::fold::{self, Fold};
use syn::punctuated::Punctuated;
use syn::{Expr, ImplItem, ImplItemFn, Item, ReturnType, Stmt, parse_quote};

use super::document::{operations, schemas};
use super::emit::docs;
use super::problem::{Problem, Result};

/// The source text of the client.
pub fn client(document: &Value) -> Result<String> {
    let spec: openapiv3::OpenAPI = serde_json::from_value(document.clone())
        .map_err(|error| Problem::new("$", format!("not OpenAPI 3.0 after all rules: {error}")))?;
    let tokens = Generator::new(&settings(document))
        .generate_tokens(&spec)
        .map_err(|error| Problem::new("$", format!("progenitor refuses the document: {error}")))?;
    let file: syn::File = syn::parse2(tokens)
        .map_err(|error| Problem::new("$", format!("progenitor's output is not Rust: {error}")))?;
    let generated = file.items.into_iter().filter_map(operations_only).next();
    let mut generated =
        generated.ok_or_else(|| Problem::new("$", "progenitor wrote no operations"))?;
    let paths: BTreeMap<_, _> = operations(document)
        .into_iter()
        .filter_map(|operation| {
            Some((operation.body.get("operationId")?.as_str()?, operation.path))
        })
        .collect();
    for item in &mut generated.items {
        if let ImplItem::Fn(method) = item {
            route_through_transport(method, &paths)?;
        }
    }
    let written = generated.items.len();
    let documented = operations(document).len();
    if written != documented {
        return Err(Problem::new(
            "$.paths",
            format!("the document has {documented} operations, progenitor wrote {written}"),
        ));
    }
    Ok(print(&generated))
}

/// The source text of the operations: docs, and a line for the signature and for each statement. (A formatter of
/// Rust would be one more crate of every build.)
fn print(operations: &syn::ItemImpl) -> String {
    let mut out = String::from("#[allow(clippy::all)]\nimpl Client {\n");
    for item in &operations.items {
        let ImplItem::Fn(method) = item else {
            continue;
        };
        for attribute in &method.attrs {
            match doc_text(attribute) {
                Some(text) => out.push_str(&docs::comment(&text, "    ")),
                None => out.push_str(&format!("    {}\n", quote! { #attribute })),
            }
        }
        let ImplItemFn { vis, sig, .. } = method;
        out.push_str(&format!("    {} {{\n", quote! { #vis #sig }));
        for statement in &method.block.stmts {
            out.push_str(&format!("        {}\n", quote! { #statement }));
        }
        out.push_str("    }\n");
    }
    out.push_str("}\n");
    out
}

/// The text of a doc comment.
fn doc_text(attribute: &syn::Attribute) -> Option<String> {
    let doc = attribute.meta.require_name_value().ok()?;
    match &doc.value {
        Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) if doc.path.is_ident("doc") => Some(text.value()),
        _ => None,
    }
}

fn settings(document: &Value) -> GenerationSettings {
    let mut settings = GenerationSettings::new();
    settings
        .with_interface(InterfaceStyle::Positional)
        .with_tag(TagStyle::Merged)
        .with_inner_type(quote! { crate::transport::Transport })
        .with_map_type("::std::collections::BTreeMap");
    for name in schemas(document).keys() {
        let impls = [TypeImpl::Display, TypeImpl::FromStr].into_iter();
        settings.with_replacement(name, format!("crate::types::{name}"), impls);
    }
    settings
}

/// Selects the `impl Client` with the operations from progenitor's output. The struct and its
/// constructors are written by hand: the generated ones unwrap and set a timeout of 15 s.
fn operations_only(item: Item) -> Option<syn::ItemImpl> {
    match item {
        Item::Impl(item) if item.trait_.is_none() => {
            let constructors = item.items.iter().any(
                |item| matches!(item, ImplItem::Fn(method) if method.sig.ident == "new_with_client"),
            );
            (!constructors).then_some(item)
        }
        _ => None,
    }
}

/// Rewrites a generated method: path parameters are encoded by our own function, which refuses `.` and
/// `..`, and the code after the building of the request becomes one call of the transport, which returns
/// the one `Error` and knows the operation.
fn route_through_transport(method: &mut ImplItemFn, paths: &BTreeMap<&str, &str>) -> Result<()> {
    let name = method.sig.ident.to_string();
    let unexpected = |what: &str| {
        Problem::new(
            format!("operation {name}"),
            format!("progenitor wrote {what} in an unexpected form; adapt codegen/client.rs"),
        )
    };
    let path = paths.get(name.as_str());
    let path = path.ok_or_else(|| unexpected("the name"))?;
    let ReturnType::Type(_, output) = &method.sig.output else {
        return Err(unexpected("the return type"));
    };
    let reply = reply_type(output).ok_or_else(|| unexpected("the return type"))?;
    method.sig.output = parse_quote! { -> crate::Result<Response<#reply>> };
    // Only programs that call the operation compile it.
    method.attrs.push(parse_quote! { #[inline] });

    // `let url = …`, the header map, `let request = …`, and then code that the transport replaces.
    let bound = |name: &str| {
        method
            .block
            .stmts
            .iter()
            .find_map(|statement| match statement {
                Stmt::Local(local) if binds(local, name) => Some(local),
                _ => None,
            })
    };
    let url = bound("url").cloned().ok_or_else(|| unexpected("the URL"))?;
    let request = bound("request").and_then(|local| local.init.as_ref());
    let builder = request.and_then(|init| builder_only(&init.expr));
    let builder = builder.ok_or_else(|| unexpected("the request"))?;
    let decode = match quote!(#reply).to_string().as_str() {
        "ByteStream" => quote! { stream },
        "()" => quote! { empty },
        _ => quote! { json },
    };
    method.block = EncodePath.fold_block(parse_quote! {{
        #url
        self.inner.#decode(#builder, Operation(#name, #path)).await
    }});
    Ok(())
}

/// `T` of `Result<ResponseValue<T>, Error<()>>`.
fn reply_type(output: &syn::Type) -> Option<syn::Type> {
    let syn::Type::Path(result) = output else {
        return None;
    };
    let response = first_argument(result)?;
    let syn::Type::Path(response) = response else {
        return None;
    };
    first_argument(response).cloned()
}

fn first_argument(path: &syn::TypePath) -> Option<&syn::Type> {
    match &path.path.segments.last()?.arguments {
        syn::PathArguments::AngleBracketed(arguments) => match arguments.args.first()? {
            syn::GenericArgument::Type(ty) => Some(ty),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a statement binds this name. (progenitor prefixes it with underscores if it is also the name
/// of a parameter.)
fn binds(local: &syn::Local, name: &str) -> bool {
    match &local.pat {
        syn::Pat::Ident(pat) => pat.ident.to_string().trim_start_matches('_') == name,
        _ => false,
    }
}

/// The expression `self.client.get(url)….headers(header_map).build()?` without the headers and `build`:
/// the transport does both.
fn builder_only(expr: &Expr) -> Option<Expr> {
    let Expr::Try(question) = expr else {
        return None;
    };
    let Expr::MethodCall(build) = &*question.expr else {
        return None;
    };
    if build.method != "build" {
        return None;
    }
    Some(WithoutHeaders.fold_expr((*build.receiver).clone()))
}

/// `request.header(..)` and `request.headers(..)` become `request`.
struct WithoutHeaders;

impl Fold for WithoutHeaders {
    fn fold_expr(&mut self, mut expr: Expr) -> Expr {
        loop {
            expr = match expr {
                Expr::MethodCall(call) if call.method == "header" || call.method == "headers" => {
                    *call.receiver
                }
                expr => return fold::fold_expr(self, expr),
            };
        }
    }
}

/// `encode_path(&x)` in the URL becomes `segment(&x)?`.
struct EncodePath;

impl Fold for EncodePath {
    fn fold_macro(&mut self, mut call: syn::Macro) -> syn::Macro {
        // The arguments of `format!` are opaque to the visitor. Arguments that do not parse are left
        // alone, and do not compile: `encode_path` is not imported.
        let arguments = call.parse_body_with(Punctuated::<Expr, syn::Token![,]>::parse_terminated);
        if let Ok(arguments) = arguments {
            let arguments = arguments
                .into_iter()
                .map(|argument| self.fold_expr(argument));
            let arguments: Punctuated<Expr, syn::Token![,]> = arguments.collect();
            call.tokens = quote! { #arguments };
        }
        call
    }

    fn fold_expr(&mut self, expr: Expr) -> Expr {
        match fold::fold_expr(self, expr) {
            Expr::Call(call) if matches!(&*call.func, Expr::Path(function) if function.path.is_ident("encode_path")) =>
            {
                let value = &call.args;
                parse_quote! { segment(#value)? }
            }
            expr => expr,
        }
    }
}
