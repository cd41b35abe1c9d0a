// The files of a message or of a tool's result: pictures, and everything else as a line with a button that saves it.
import type { Attachment } from "@aster-sidecar/client";
import { useEffect, useRef, useState, type CSSProperties, type RefObject } from "react";
import { IconButton } from "./Buttons.js";
import { Cell, useCell } from "./cell.js";
import { isPicture, save, usePictureUrl } from "./contents.js";
import { Icon } from "./Icon.js";
import { texts } from "./messages.js";
import { visible, visibleText } from "./Plain.js";
import { bytes } from "./words.js";

type Shown = Attachment & { readonly type?: "image" | "file" };

/** The largest picture in a message, in pixels. */
const MOST = { width: 320, height: 240 };
const LEAST_PX = 48;

/** `marked`: files that the daemon no longer has. `onRemove`: lets the person take a file out. */
export function Attachments({
  files,
  marked = [],
  onRemove,
}: {
  files: readonly Shown[];
  marked?: readonly string[];
  onRemove?: ((attachment_id: string) => void) | undefined;
}) {
  if (files.length === 0) return null;
  return (
    <ul className="attachments" aria-label={texts.attachments.label}>
      {files.map((file, place) => {
        const gone = marked.includes(file.attachment_id);
        return (
          <li key={`${place} ${file.attachment_id}`} className={gone ? "attachment-gone" : undefined}>
            {isPicture(file) && !gone ? <PictureButton file={file} /> : <FileLine file={file} gone={gone} />}
            {onRemove && (
              <IconButton
                icon="cross"
                label={texts.attachments.remove(visibleText(file.name))}
                onClick={() => {
                  onRemove(file.attachment_id);
                }}
              />
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** The space that a picture takes, before it is loaded too. */
function spaceOf({ width, height }: Attachment): CSSProperties {
  if (width === null || height === null || width < 1 || height < 1) return { ...MOST };
  const scale = Math.min(1, MOST.width / width, MOST.height / height);
  const shown = { width: Math.max(LEAST_PX, width * scale), height: Math.max(LEAST_PX, height * scale) };
  return { width: shown.width, aspectRatio: `${shown.width} / ${shown.height}` };
}

function PictureButton({ file }: { file: Attachment }) {
  const button = useRef<HTMLButtonElement>(null);
  const { url, failed } = usePictureUrl(file.attachment_id, useNear(button));
  const [broken, setBroken] = useState(false);
  const name = visibleText(file.name);
  return (
    <button
      ref={button}
      type="button"
      className="picture"
      title={name}
      aria-label={texts.attachments.show(name)}
      aria-haspopup="dialog"
      style={spaceOf(file)}
      onClick={() => {
        view(file);
      }}
    >
      {failed || broken ? (
        <span className="quiet">{texts.attachments.notShown}</span>
      ) : (
        url !== null && <img src={url} alt="" decoding="async" draggable={false} onError={() => setBroken(true)} />
      )}
    </button>
  );
}

function FileLine({ file, gone }: { file: Attachment; gone: boolean }) {
  return (
    <span className="file-line">
      <Icon name="file" />
      <span className="file-name">{visible(file.name)}</span>
      <span className="quiet">{gone ? texts.attachments.gone : bytes(file.size)}</span>
      {!gone && (
        <IconButton
          icon="save"
          label={texts.attachments.save(visibleText(file.name))}
          onClick={() => {
            void save(file);
          }}
        />
      )}
    </span>
  );
}

/** Whether an element has been in or near the view. */
function useNear(element: RefObject<HTMLElement | null>): boolean {
  const [near, setNear] = useState(false);
  useEffect(() => {
    if (near || !element.current) return;
    // Without a root, the margin would not count, because the list cuts off what is outside of it.
    const root = element.current.closest(".scroller");
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some(({ isIntersecting }) => isIntersecting)) setNear(true);
      },
      { root, rootMargin: "300px" },
    );
    observer.observe(element.current);
    return () => {
      observer.disconnect();
    };
  }, [near, element]);
  return near;
}

// -- one picture, large ----------------------------------------------------------------------------------------------------

const viewed = new Cell<Attachment | null>(null);

function view(file: Attachment): void {
  viewed.set(file);
}

/** The dialog with the picture that the person has opened. It stays if its message leaves the page. */
export function Viewer() {
  const file = useCell(viewed);
  return file && <LargePicture key={file.attachment_id} file={file} />;
}

/** The space of a picture at its own size, or as large as the window allows, before it is loaded too. */
function largeSpaceOf({ width, height }: Attachment): CSSProperties | undefined {
  if (width === null || height === null || width < 1 || height < 1) return undefined;
  return {
    width: `min(${width}px, 100vw - 2rem - 2px, (100dvh - 6rem) * ${width / height})`,
    aspectRatio: `${width} / ${height}`,
  };
}

function LargePicture({ file }: { file: Attachment }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { url, failed } = usePictureUrl(file.attachment_id);
  const name = visibleText(file.name);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    // The keyboard closes it with Escape.
    <dialog
      ref={dialog}
      className="viewer"
      aria-label={name}
      onClose={() => {
        viewed.set(null);
      }}
      onClick={(event) => {
        if (event.target === event.currentTarget) event.currentTarget.close();
      }}
    >
      <div className="viewer-head">
        <p className="viewer-name" title={name}>
          {visible(file.name)}
        </p>
        <span className="quiet">
          {file.width !== null && file.height !== null && `${file.width} × ${file.height} · `}
          {bytes(file.size)}
        </span>
        <button
          type="button"
          onClick={() => {
            void save(file);
          }}
        >
          {texts.shared.save}
        </button>
        <IconButton icon="cross" label={texts.shared.close} onClick={() => dialog.current?.close()} />
      </div>
      <div className="viewer-body">
        {failed ? (
          <p className="empty">{texts.attachments.notShown}</p>
        ) : (
          <div className="viewer-picture" style={largeSpaceOf(file)}>
            {url !== null && <img src={url} alt={name} draggable={false} />}
          </div>
        )}
      </div>
    </dialog>
  );
}
