/** Offers something for sale. */
import { type FormEvent, useState } from 'react';
import { useNavigate } from 'react-router';
import { idempotencyKey } from '../api/client';
import { useOffer } from '../api/shop';
import { Field, TextField, text } from '../components/field';
import { ErrorNotice } from '../components/notice';
import { Screen } from '../components/screen';
import { UploadRow } from '../components/upload-row';
import { useUploads } from '../components/uploads';

/** As many as a product may have. */
const PICTURES_MAX = 20;

export default function OfferScreen() {
  const offer = useOffer();
  const navigate = useNavigate();
  const uploads = useUploads();
  const [key, setKey] = useState(idempotencyKey);
  const isSending = uploads.all.some((each) => each.state === 'sending');
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const product = {
      name: text(form, 'name') ?? '',
      description: text(form, 'description'),
      price: text(form, 'price') ?? '',
      stock: Number(form.get('stock')),
      category: text(form, 'category'),
      images: uploads.all.flatMap((each) => each.file?.responsiveSizes?.medium ?? each.file?.url ?? []),
    };
    offer.mutate(
      { ...product, key },
      // A changed offer is another request.
      { onSuccess: ({ id }) => void navigate(`/shop/${id}`), onError: () => setKey(idempotencyKey()) },
    );
  };
  return (
    <Screen title="Sell something">
      <form className="card stack" onSubmit={send}>
        <Field label="What is it?" name="name" required maxLength={200} />
        <TextField label="Description" name="description" maxLength={5000} rows={5} />
        <div className="filters">
          <Field label="Price for a piece, in US dollars" name="price" inputMode="decimal" pattern="[0-9]{1,8}(\.[0-9]{1,2})?" required />
          <Field label="Pieces in stock" name="stock" type="number" min={0} max={1_000_000_000} defaultValue={1} required />
          <Field label="Category" name="category" maxLength={100} />
        </div>
        <Field
          label="Pictures"
          hint="They are public, and in the gallery, too."
          type="file"
          accept="image/*"
          multiple
          onChange={(event) => {
            uploads.add([...(event.target.files ?? [])].slice(0, PICTURES_MAX - uploads.all.length), 'public');
            event.target.value = '';
          }}
        />
        {uploads.all.length > 0 && (
          <ul className="uploads" aria-label="Pictures of the product">
            {uploads.all.map((each) => (
              <UploadRow key={each.key} upload={each} remove={() => uploads.remove(each.key, true)} retry={() => uploads.retry(each.key)} />
            ))}
          </ul>
        )}
        {offer.isError && <ErrorNotice error={offer.error} />}
        <div className="actions">
          <button type="submit" className="button" disabled={offer.isPending || isSending}>
            Offer it
          </button>
        </div>
      </form>
    </Screen>
  );
}
