"use strict";

// The page's half of an upload: tus-js-client sends and resumes, this shows how far it is.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("upload");
  const bar = document.querySelector("#progress progress");
  const said = document.getElementById("said");
  let begun = null; // what was not finished: the same file for the same case goes on where it stood
  const say = (text) => { said.textContent = text; };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const file = form.elements.file.files[0];
    const button = form.querySelector("button");
    const metadata = { filename: file.name };
    for (const name of ["case", "names", "note", "stated_custody"]) {
      const value = form.elements[name].value.trim();
      if (value) metadata[name] = value;
    }
    document.getElementById("progress").hidden = false;
    button.disabled = true;
    const about = JSON.stringify(metadata);
    if (begun && begun.file === file && begun.about === about) {
      begun.upload.start();
      return;
    }
    const upload = new tus.Upload(file, {
      endpoint: form.dataset.endpoint,
      metadata,
      headers: { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value },
      retryDelays: [0, 500, 1000, 3000, 5000, 10000],
      storeFingerprintForResuming: false,
      onProgress(sent, total) {
        bar.value = total ? (100 * sent) / total : 100;
        say(`${sent.toLocaleString("en")} of ${total.toLocaleString("en")} bytes (${Math.floor(bar.value)} %)`);
      },
      onSuccess() {
        window.location.assign(`/submissions/${upload.url.split("/").pop()}`);
      },
      onError(error) {
        button.disabled = false;
        const answer = error.originalResponse;
        try {
          say(`Not uploaded: ${JSON.parse(answer.getBody()).detail}`);
        } catch {
          const why = answer ? `the server said ${answer.getStatus()}` : "the server does not answer";
          say(`Not uploaded: ${why}. What arrived is kept; press Upload to go on.`);
        }
      },
    });
    begun = { file, about, upload };
    upload.start();
  });
});
